"""Whoever launched a program learns its status, however many others ended meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from oneos.errors import UserError
from oneos.ids import Incarnation, Pid, SessionId
from oneos.kernel.control_log import ControlLog
from oneos.limits import EXITED_KEPT_MAX
from oneos.net.pump import Ended, PumpResult
from oneos.runtime import children as module
from oneos.runtime.children import Children
from oneos.state import control_types as t
from oneos.state.processes import LOST_STATUS
from tests.unit.engine.conftest import bench, certificates  # noqa: F401  Fixtures.
from tests.unit.kernel.conftest import world  # noqa: F401  A fixture.
from tests.unit.kernel.support import HUB, LAB, World


class Programs:
    """Enters programs into the table and ends them."""

    def __init__(self, world: World, control: ControlLog) -> None:  # noqa: F811
        self.control = control
        self.children = Children(control)
        self._world = world
        self.lab = Incarnation(0)

    async def start(self, count: int = 1, *, add: bool = True) -> list[int]:
        program = t.NewProcess(LAB, self.lab, [b"x"], b"/")
        epoch = self._world.epoch(self.control, "scheduler")
        pids: list[int] = await self.control.submit(
            t.Spawn(epoch, SessionId(1), Pid(0), "a", [program] * count, 0)
        )
        if add:
            self.children.add(pids)
        return pids

    async def end(self, lab: ControlLog, pids: list[int], status: int = 0) -> None:
        statuses = [(Pid(pid), status) for pid in pids]
        await lab.submit(t.Ended(LAB, self.lab, statuses, 1))
        await self.control.barrier()


@pytest_asyncio.fixture
async def programs(world: World) -> AsyncIterator[tuple[Programs, ControlLog]]:  # noqa: F811
    hub = await world.start()
    await world.join(hub, LAB)
    lab = await world.control(LAB)
    programs = Programs(world, hub)
    programs.lab = await world.arrive(lab)
    yield programs, lab


async def test_wait_returns_when_all_have_ended(programs: tuple[Programs, ControlLog]) -> None:
    here, lab = programs
    first, second = await here.start(2)
    waiting = asyncio.create_task(here.children.wait([first, second]))
    await here.end(lab, [second], 3)
    assert here.children.status(second) == 3
    assert here.children.status(first) is None
    assert not waiting.done()
    await here.end(lab, [first], 5)
    assert await waiting == [5, 3]


async def test_status_is_kept_when_the_table_no_longer_has_it(
    programs: tuple[Programs, ControlLog],
) -> None:
    here, lab = programs
    slow, quick = await here.start(2)
    waiting = asyncio.create_task(here.children.wait([slow, quick]))
    await here.end(lab, [quick], 3)
    others = await here.start(EXITED_KEPT_MAX + 10, add=False)
    await here.end(lab, others)
    assert quick not in here.control.state.processes
    assert here.children.status(quick) == 3
    await here.end(lab, [slow], 4)
    assert await waiting == [4, 3]
    with pytest.raises(UserError, match="no process"):
        here.children.status(others[0])


async def test_programs_of_a_host_that_died_were_killed(
    programs: tuple[Programs, ControlLog],
) -> None:
    here, _ = programs
    pids = await here.start(EXITED_KEPT_MAX + 10)
    waiting = asyncio.create_task(here.children.wait(pids))
    await here.control.submit(t.DeclareDead(LAB, here.lab, "silent", 1))
    assert set(await waiting) == {LOST_STATUS}
    assert HUB in here.control.state.members


async def test_wait_waits_for_the_last_byte_of_output(
    programs: tuple[Programs, ControlLog],
) -> None:
    here, lab = programs
    [pid] = await here.start()
    last = asyncio.Event()

    async def pump() -> PumpResult | None:
        await last.wait()
        return PumpResult(1, Ended.EOF)

    here.children.add_output(pid, asyncio.create_task(pump()))
    await here.end(lab, [pid])
    waiting = asyncio.create_task(here.children.wait([pid]))
    await here.control.barrier()
    assert not waiting.done()
    last.set()
    assert await waiting == [0]
    assert not here.children._outputs


async def test_what_nobody_asks_for_is_bounded(
    programs: tuple[Programs, ControlLog], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "CHILDREN_KEPT_MAX", 3)
    here, _ = programs
    await here.start(8)
    assert len(here.children._statuses) == 3


async def test_wait_returns_when_one_is_stopped_and_again_when_it_has_ended(
    programs: tuple[Programs, ControlLog],
) -> None:
    here, lab = programs
    one, other = await here.start(2)
    waiting = asyncio.create_task(here.children.wait_or_stop([one, other]))
    await asyncio.sleep(0)
    here.children.stopped(one, 20)
    assert await waiting == [-20, None]
    assert (here.children.state(one), here.children.state(other)) == (-20, None)
    here.children.stopped(one, 0)
    waiting = asyncio.create_task(here.children.wait_or_stop([one, other]))
    await here.end(lab, [one, other], 3)
    assert await waiting == [3, 3]
    # What comes late, of one that has ended, is no news.
    here.children.stopped(one, 20)
    assert here.children.state(one) == 3
