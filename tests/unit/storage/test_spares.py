"""Empty files made ahead: each is given to one, and none is left over from an earlier life."""

import os
import threading
from pathlib import Path

from oneos.limits import SPARES_MAX
from oneos.storage.spares import Spares
from tests.support.waiting import eventually


async def test_each_is_there_empty_and_given_once(tmp_path: Path) -> None:
    spares = Spares(str(tmp_path / "spare"))
    assert os.listdir(tmp_path) == []
    assert spares.take() is None
    await eventually(lambda: not spares._making)
    assert len(os.listdir(tmp_path / "spare")) == SPARES_MAX
    taken: list[str | None] = []

    def take() -> None:
        taken.extend(spares.take() for _ in range(SPARES_MAX))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    given = [path for path in taken if path is not None]
    assert len(given) >= SPARES_MAX - 1
    assert len(set(given)) == len(given)
    assert all(os.stat(path).st_size == 0 for path in given)


async def test_a_new_life_begins_without_those_of_the_last(tmp_path: Path) -> None:
    directory = tmp_path / "spare"
    directory.mkdir()
    (directory / "7").write_bytes(b"half of something")
    (directory / "8").write_bytes(b"")
    adopted: list[bytes] = []
    Spares(str(directory), lambda path: adopted.append(Path(path).read_bytes()))
    assert (adopted, os.listdir(directory)) == ([b"half of something"], [])


async def test_where_none_can_be_made_none_is_given(tmp_path: Path) -> None:
    directory = tmp_path / "spare"
    spares = Spares(str(directory))
    directory.write_bytes(b"no directory")
    assert spares.take() is None
    await eventually(lambda: not spares._making)
    assert spares.take() is None
