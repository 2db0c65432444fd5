"""Two copies of the index on one log: who was replaced learns it; nothing is lost or doubled."""

import asyncio
import os
import signal

import pytest

from oneos.engine.log import Log
from oneos.errors import Fenced, NetworkError
from oneos.kernel import index as module
from oneos.kernel.index import Index
from oneos.state import names_commands as n
from tests.support.waiting import eventually
from tests.unit.kernel.support import HUB, LAB, World


def mkdir(number: int, name: bytes) -> n.MkDir:
    return n.MkDir(("test", number), number, b"/" + name, 0o755, 0, 0)


def names(index: Index) -> list[bytes]:
    return [entry.name for entry in index.names.names.list(b"/")]


async def test_old_leader_is_fenced_and_the_new_one_has_everything(world: World) -> None:
    await world.start()
    old, new = await world.index(HUB), await world.index(LAB)
    await old.lead()
    await old.append([mkdir(1, b"a"), mkdir(2, b"b")])
    await new.lead()
    with pytest.raises(Fenced):
        await old.append([mkdir(3, b"late")])
    assert names(new) == [b"a", b"b"]
    await new.append([mkdir(4, b"c")])
    await old.follow()
    await eventually(lambda: names(old) == [b"a", b"b", b"c"])
    assert list(old.names.dump()) == list(new.names.dump())


async def test_refused_append_changes_nothing_here(world: World) -> None:
    await world.start()
    old, new = await world.index(HUB), await world.index(LAB)
    await old.lead()
    await new.lead()
    with pytest.raises(Fenced):
        await old.append([mkdir(1, b"late")])
    assert names(old) == []


async def test_leader_that_cannot_read_the_log_to_its_end_is_told_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.start()
    index = await world.index(HUB)

    async def beyond_the_end(self: Log) -> int:
        return 10_000

    monkeypatch.setattr(Log, "barrier", beyond_the_end)
    monkeypatch.setattr(module, "CALL_TIMEOUT_S", 0.1)
    with pytest.raises(NetworkError, match="does not answer"):
        await index.lead()


async def test_append_of_unknown_fate_is_done_once(world: World) -> None:
    await world.start()
    index = await world.index(HUB)
    await index.lead()
    pid = world.server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    appending = asyncio.create_task(index.append([mkdir(1, b"a")]))
    # The first attempt is in the socket of the stopped server before it is asked again.
    await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    (result,) = await appending
    assert result.errno == 0
    assert names(index) == [b"a"]
    (result,) = await index.append([mkdir(2, b"a")])
    assert result.errno == 17


async def test_proof_of_leading_ages_and_an_append_renews_it(world: World) -> None:
    await world.start()
    index = await world.index(HUB)
    assert index.proof_age_s() == float("inf")
    await index.lead()
    first = index.proof_age_s()
    await asyncio.sleep(0.02)
    assert index.proof_age_s() > first + 0.01
    age = index.proof_age_s()
    await index.append([mkdir(1, b"a")])
    assert index.proof_age_s() < age
