"""Real programs as agents: joined, ended, written down, and nothing of them left behind."""

import asyncio
import errno
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from oneos.errors import FileError
from oneos.files.handles import Plain
from oneos.files.tree import Tree
from oneos.ids import Pid, SessionId
from oneos.kernel import messages as m
from oneos.runtime import agents as module
from oneos.runtime.agents import Agents
from oneos.runtime.descendants import Descendants
from oneos.runtime.ends import Ends
from oneos.runtime.environments import Environments
from oneos.runtime.interpreters import Interpreters
from oneos.runtime.namespace import NameSpace
from oneos.runtime.orphans import RunRecords
from oneos.runtime.plumbing import Plumbing
from oneos.runtime.terminals import Terminals
from oneos.state import control_types as t
from oneos.state.pids import NO_BLOCK
from tests.support.descriptors import open_ends
from tests.support.waiting import eventually
from tests.unit.engine.conftest import bench, certificates  # noqa: F401  Fixtures.
from tests.unit.files.conftest import identities, network  # noqa: F401
from tests.unit.files.support import ROOT, Network
from tests.unit.kernel.conftest import world  # noqa: F401
from tests.unit.kernel.support import HUB, World


async def nobody(pid: int, number: int) -> None:
    raise FileError(errno.ESRCH)


class Bench:
    """One host's agents; programs are lines for the host's own /bin/sh."""

    def __init__(self, network: Network, world: World, directory: Path) -> None:  # noqa: F811
        hub = network.hosts[0]
        self.network = network
        self.control, self._world = hub.control, world
        self.tree = Tree(hub.files, {})
        plumbing = Plumbing(hub.streams)
        self.ends = Ends(HUB, self.tree, plumbing)
        self.records = directory / "records"
        self.stage = directory / "stage"
        self.stage.mkdir()
        interpreters = Interpreters(["/bin/sh"], "", "auto")
        self.environments = Environments(HUB, str(directory / "envs"), self.tree, interpreters)
        self.terminals = Terminals(HUB, hub.links, plumbing, interpreters)
        path = str(directory / "socket")
        namespace = NameSpace(
            HUB, str(directory), path, list, "auto", str, lambda: NO_BLOCK, nobody
        )
        self.agents = Agents(
            HUB,
            lambda: hub.incarnation,
            hub.control,
            self.ends,
            interpreters,
            self.environments,
            namespace,
            self.terminals,
            Descendants(HUB, hub.control, hub.links, namespace.proc),
            RunRecords(self.records),
            str(self.stage),
            str(directory / "socket"),
        )

    async def launch(self, *programs: tuple[str, list[m.End]]) -> list[m.Started]:
        incarnation = self._world.incarnations[HUB]
        entries = [t.NewProcess(HUB, incarnation, [line.encode()], b"/") for line, _ in programs]
        epoch = self._world.epoch(self.control, "scheduler")
        pids = await self.control.submit(t.Spawn(epoch, SessionId(1), Pid(0), "ann", entries, 0))
        starts = [
            m.Start(pid, 0, 1, "ann", "sh", [b"x"], [b"-c", line.encode()], {}, b"/", ends)
            for pid, (line, ends) in zip(pids, programs, strict=True)
        ]
        return await self.agents.launch(m.Launch(b"1", starts), HUB)

    def fd(self, fd: int) -> m.End:
        return m.End("fd", self.ends.hold(os.dup(fd)))

    async def status(self, pid: int) -> int:
        await eventually(lambda: self.control.state.processes[pid].status is not None)
        status = self.control.state.processes[pid].status
        assert status is not None
        return status


@pytest.fixture
async def bench_(
    network: Network,  # noqa: F811
    world: World,  # noqa: F811
    tmp_path: Path,
) -> AsyncIterator[Bench]:
    await network.start(HUB)
    here = Bench(network, world, tmp_path)
    await here.launch(("true", [NULL, NULL, NULL]))
    await eventually(lambda: not here.agents.pids())
    before = open_ends()
    yield here
    await here.agents.close()
    # Nothing of any program is left, whatever became of it.
    await eventually(lambda: open_ends() <= before)
    assert here.agents.pids() == []
    assert list(here.records.iterdir()) == []
    assert list(here.stage.iterdir()) == []
    assert not here.ends._held


NULL = m.End("null")


async def test_program_runs_and_its_end_is_written_down(bench_: Bench) -> None:
    read, write = os.pipe()
    [started] = await bench_.launch(("echo hi; exit 3", [NULL, bench_.fd(write), NULL]))
    os.close(write)
    assert started.errno == 0
    assert await bench_.status(started.pid) == 3
    assert os.read(read, 100) == b"hi\n"
    assert os.read(read, 100) == b""
    os.close(read)


async def test_programs_of_a_pipeline_are_joined_and_see_its_end(bench_: Bench) -> None:
    read, write = os.pipe()
    started = await bench_.launch(
        ("echo b; echo a", [NULL, m.End("pipe", 0), NULL]),
        ("sort", [m.End("pipe", 0), m.End("pipe", 1), NULL]),
        ("cat", [m.End("pipe", 1), bench_.fd(write), NULL]),
    )
    os.close(write)
    assert [await bench_.status(one.pid) for one in started] == [0, 0, 0]
    assert os.read(read, 100) == b"a\nb\n"
    os.close(read)


async def test_descriptor_can_be_a_copy_of_a_later_one(bench_: Bench) -> None:
    read, write = os.pipe()
    [started] = await bench_.launch(
        ("echo out; echo err >&2", [NULL, m.End("dup", 2), bench_.fd(write)])
    )
    os.close(write)
    assert await bench_.status(started.pid) == 0
    assert os.read(read, 100) == b"out\nerr\n"
    os.close(read)
    [started] = await bench_.launch(("true", [NULL, m.End("dup", 2), m.End("dup", 1)]))
    assert (started.errno, started.status) == (22, 1)


async def test_output_is_committed_when_the_end_is_known(bench_: Bench) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    end = m.End("file", path=b"/d/out", flags=flags, mode=0o644)
    [started] = await bench_.launch(("echo hello", [NULL, end, NULL]))
    assert await bench_.status(started.pid) == 0
    attributes = await bench_.tree.stat(b"/d/out", ROOT)
    assert attributes.size == 6


async def test_program_whose_file_cannot_be_opened_ends_and_the_others_run(
    bench_: Bench,
) -> None:
    read, write = os.pipe()
    missing = m.End("file", path=b"/d/none", flags=os.O_RDONLY)
    first, second = await bench_.launch(
        ("cat", [missing, m.End("pipe", 0), NULL]),
        ("wc -c", [m.End("pipe", 0), bench_.fd(write), NULL]),
    )
    os.close(write)
    assert (first.errno, first.status) == (2, 1)
    assert await bench_.status(first.pid) == 1
    assert await bench_.status(second.pid) == 0
    assert os.read(read, 100).strip() == b"0"
    os.close(read)


async def test_program_that_the_kernel_refuses_has_ended(bench_: Bench) -> None:
    """A NUL byte in an argument: it was entered in the table and would have run for ever."""
    read, write = os.pipe()
    refused, other = await bench_.launch(
        ("echo \0", [NULL, NULL, NULL]),
        ("echo fine", [NULL, bench_.fd(write), NULL]),
    )
    os.close(write)
    assert (refused.errno, refused.status) == (22, 126)
    assert await bench_.status(refused.pid) == 126
    assert await bench_.status(other.pid) == 0
    assert os.read(read, 100) == b"fine\n"
    os.close(read)


async def test_file_opened_while_its_program_ends_is_not_kept(bench_: Bench) -> None:
    [started] = await bench_.launch(("read x", [m.End("pipe", 9), NULL, NULL]))
    agent = bench_.agents._agents.get(started.pid)
    assert agent is not None
    assert await bench_.status(started.pid) == 1
    with pytest.raises(FileError):
        agent.keep(Plain())


async def test_signal_reaches_the_program_and_shows_in_its_status(bench_: Bench) -> None:
    [started] = await bench_.launch(("exec sleep 60", [NULL, NULL, NULL]))
    record = (bench_.records / str(started.pid)).read_text().split()[0]
    assert f"/proc/{record}" == bench_.agents.directory(started.pid)
    bench_.agents.signals.send(started.pid, signal.SIGTERM)
    assert await bench_.status(started.pid) == 128 + signal.SIGTERM
    with pytest.raises(FileError):
        bench_.agents.signals.send(started.pid, signal.SIGTERM)


async def test_signal_to_a_program_that_the_table_has_waits_until_it_starts(bench_: Bench) -> None:
    """The table shows a program from when it is placed; its host may be a moment later."""
    pid = bench_.control.state.next_pid
    sending = asyncio.create_task(bench_.agents.signals.send_placed(pid, signal.SIGTERM, False))
    await eventually(lambda: pid in bench_.agents.signals._awaited)
    [started] = await bench_.launch(("exec sleep 60", [NULL, NULL, NULL]))
    assert started.pid == pid
    await sending
    assert await bench_.status(pid) == 128 + signal.SIGTERM
    with pytest.raises(FileError):
        await bench_.agents.signals.send_placed(pid, signal.SIGTERM, False)
    assert not bench_.agents.signals._awaited


async def test_dropped_line_is_told_by_a_signal(bench_: Bench) -> None:
    [started] = await bench_.launch(("exec sleep 60", [NULL, NULL, NULL]))
    bench_.agents._line_dropped(bench_.agents._agents[started.pid])
    assert await bench_.status(started.pid) == 128 + signal.SIGHUP


async def test_stopping_ends_programs_and_starts_none(
    bench_: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KILL_GRACE_S", 0.1)
    read, write = os.pipe()
    stubborn, polite = await bench_.launch(
        ("trap '' TERM; echo ready; sleep 60 & wait; wait", [NULL, bench_.fd(write), NULL]),
        ("exec sleep 60", [NULL, NULL, NULL]),
    )
    os.close(write)
    assert await asyncio.to_thread(os.read, read, 100) == b"ready\n"
    await bench_.agents.close()
    assert await bench_.status(stubborn.pid) == 128 + signal.SIGKILL
    assert await bench_.status(polite.pid) == 128 + signal.SIGTERM
    [late] = await bench_.launch(("true", [NULL, NULL, NULL]))
    assert late.errno != 0
    assert await bench_.status(late.pid) == 126 or late.status == 1
    # What it had started holds the pipe no more either.
    assert await asyncio.to_thread(os.read, read, 100) == b""
    os.close(read)


async def test_end_of_what_nobody_launched_is_written_down(bench_: Bench) -> None:
    incarnation = bench_._world.incarnations[HUB]
    program = t.NewProcess(HUB, incarnation, [b"x"], b"/")
    epoch = bench_._world.epoch(bench_.control, "scheduler")
    [pid] = await bench_.control.submit(t.Spawn(epoch, SessionId(1), Pid(0), "a", [program], 0))
    await bench_.agents.never_launched(pid, 1)
    assert await bench_.status(pid) == 126
