"""A file that several programs hold is committed for each that closes it, and closed once."""

from oneos.files.handles import Plain
from oneos.files.shared import Shared, share


class Counted(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    async def sync(self) -> None:
        self.done.append("sync")

    async def close(self) -> None:
        self.done.append("close")


async def test_last_holder_closes_it_whoever_that_is() -> None:
    file = Counted()
    shared = share(file)
    assert share(shared) is shared
    assert (shared.holders, shared.kind, shared.fd) == (3, "fd", -1)
    await shared.close()
    assert file.done == ["sync"]
    await shared.drop()
    assert file.done == ["sync"]
    await shared.drop()
    assert file.done == ["sync", "close"]


async def test_one_holder_is_as_none_but_itself() -> None:
    file = Counted()
    await Shared(file).close()
    assert file.done == ["close"]
