"""Children of agents: entered, watched, and their ends known whoever tells them."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from oneos.actor.actor import Address
from oneos.errors import FileError
from oneos.ids import ServiceName
from oneos.kernel import messages as m
from oneos.kernel import services
from oneos.kernel.scheduler import Scheduler
from oneos.runtime import offspring as module
from oneos.runtime.agent import Agent
from oneos.runtime.commands import nowhere
from oneos.runtime.interpreters import Interpreters
from oneos.runtime.offspring import UNKNOWN_STATUS, Offspring
from oneos.runtime.watched import Watched
from tests.support.waiting import eventually
from tests.unit.engine.conftest import bench, certificates  # noqa: F401  Fixtures.
from tests.unit.files.conftest import identities, network  # noqa: F401
from tests.unit.files.support import ROOT, Network
from tests.unit.kernel.conftest import world  # noqa: F401
from tests.unit.kernel.support import HUB, World
from tests.unit.runtime.test_agents import NULL, Bench, bench_  # noqa: F401

SPEC: dict[str, Any] = {
    "files": [b"/usr/bin/nothing", b"/bin/sh"],
    "argv": [b"sh", b"-c", b"exit 7"],
    "env": [b"A=b"],
    "cwd": b"/d",
    "handles": [],
}


@dataclass
class Family:
    """A parent that runs here, and what starts its children."""

    bench: Bench
    offspring: Offspring
    parent: Agent
    go: int
    said: int
    pids: list[int] = field(default_factory=list)

    async def child(self, **changes: Any) -> int:
        entered = await self.offspring.child(self.parent, SPEC | changes)
        self.pids.append(entered["pid"])
        return int(entered["pid"])

    async def forked(self) -> int:
        """Have the parent fork; the PID of its child on this host, which waits for `end`."""
        os.write(self.go, b"fork\n")
        return int(await asyncio.to_thread(os.read, self.said, 100))

    def end(self) -> None:
        """Let the child end with 7; the parent waits for it."""
        os.write(self.go, b"end\n")

    async def status(self, pid: int) -> int:
        return await self.bench.status(pid)


async def _nobody_is_busy(host: str) -> list[m.Busy]:
    return []


@pytest.fixture
async def family(
    bench_: Bench,  # noqa: F811
    network: Network,  # noqa: F811
    world: World,  # noqa: F811
) -> AsyncIterator[Family]:
    hub = network.hosts[0]
    services.serve(hub.routes, "scheduler", m.SchedulerMessage, hub.agents.get)
    scheduler = Scheduler(
        Address(HUB, "scheduler", world.epoch(hub.control, "scheduler")),
        hub.control,
        lambda host: None,
        _nobody_is_busy,
    )
    hub.agents[ServiceName("scheduler")] = scheduler
    serving = asyncio.create_task(scheduler.run())
    offspring = Offspring(
        HUB,
        lambda: hub.incarnation,
        bench_.tree,
        hub.services,
        hub.control,
        bench_.agents,
        Interpreters(["/bin/sh"], "", "auto"),
        nowhere,
    )
    ours, go = os.pipe()
    said, theirs = os.pipe()
    line = "read x; exec 3<&0; sh -c 'read y <&3; exit 7' & echo $!; wait; exec sleep 60"
    [started] = await bench_.launch((line, [bench_.fd(ours), bench_.fd(theirs), NULL]))
    os.close(ours)
    os.close(theirs)
    parent = bench_.agents._agents[started.pid]
    yield Family(bench_, offspring, parent, go, said)
    if parent.os_pid:
        bench_.agents.signals.send(started.pid, signal.SIGKILL)
    await eventually(lambda: not bench_.agents.pids())
    serving.cancel()
    await asyncio.wait((serving,))
    os.close(go)
    os.close(said)


async def test_child_is_in_the_table_and_its_end_is_read_from_the_kernel(family: Family) -> None:
    entered = await family.offspring.child(family.parent, SPEC)
    row = family.bench.control.state.processes[entered["pid"]]
    assert (row.ppid, row.host, row.cwd) == (family.parent.start.pid, HUB, b"/d")
    assert entered["argv"] == ["/bin/sh", b"-c", b"exit 7"]
    assert b"A=b" in entered["env"]
    assert b"ONEOS_PID=%d" % entered["pid"] in entered["env"]

    os_pid = await family.forked()
    family.offspring.started(family.parent, entered["pid"], os_pid)
    assert family.bench.agents.directory(entered["pid"]) == f"/proc/{os_pid}"
    family.end()
    assert await family.status(entered["pid"]) == 7


async def test_child_that_could_not_be_started_has_ended(family: Family) -> None:
    pid = await family.child()
    family.offspring.unborn(family.parent, pid)
    assert await family.status(pid) == 126
    # The table has its end a moment before its host has forgotten it.
    await eventually(lambda: pid not in family.offspring._children)
    with pytest.raises(FileError):
        family.offspring.started(family.parent, pid, 1)


async def test_child_that_never_appears_ends_after_its_parent(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHILD_APPEAR_S", 0.05)
    pid = await family.child()
    family.bench.agents.signals.send(family.parent.start.pid, signal.SIGKILL)
    assert await family.status(pid) == 126


async def test_parent_names_none_but_its_own_children(family: Family) -> None:
    pid = await family.child()
    family.offspring.started(family.parent, pid, os.getpid())
    with pytest.raises(FileError):
        family.bench.agents.signals.send(pid, signal.SIGKILL)
    await family.offspring.reaped(family.parent, pid, 3 << 8)
    assert await family.status(pid) == 3


@pytest.mark.parametrize("told", [True, False])
async def test_older_kernels_tell_a_status_to_the_parent_only(
    family: Family, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    monkeypatch.setattr(module, "CHILD_REPORT_S", 30 if told else 0.05)
    monkeypatch.setattr(Watched, "status", lambda self: None)
    pid = await family.child()
    family.offspring.started(family.parent, pid, await family.forked())
    family.end()
    if told:
        await family.offspring.reaped(family.parent, pid, 7 << 8)
    assert await family.status(pid) == (7 if told else UNKNOWN_STATUS)


async def test_inherited_file_is_committed_when_the_last_that_holds_it_ends(
    family: Family,
) -> None:
    file = await family.bench.tree.open(b"/d/out", os.O_WRONLY | os.O_CREAT, 0o644, ROOT)
    number = family.parent.keep(file)
    pid = await family.child(handles=[number])
    family.offspring.started(family.parent, pid, await family.forked())
    # The kernel's descriptor, as the child has it.
    fd = os.dup(file.fd)
    await family.parent.handles.pop(number).close()
    os.write(fd, b"written by the child")
    os.close(fd)
    assert family.bench.agents._agents[pid].handles
    family.end()
    assert await family.status(pid) == 7
    names = family.bench.network.hosts[0].names
    assert (await names.inode(b"/d/out")).size == len(b"written by the child")
