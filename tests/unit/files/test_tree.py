"""The tree: which part serves a path, what the parts made of facts show, and their errnos."""

import errno
import os
import stat
from collections.abc import Awaitable

import msgspec
import pytest

from oneos.errors import FileError
from oneos.files.devfs import DeviceFiles
from oneos.files.device_facts import DeviceFacts
from oneos.files.handles import Caller, Handle, Plain
from oneos.files.hosts import Runtimes
from oneos.files.places import split
from oneos.files.proc import Proc
from oneos.files.tree import Tree
from oneos.ids import HostName, Pid, SessionId
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog
from oneos.state import control_types as t
from tests.unit.files.support import Network
from tests.unit.kernel.support import HUB, LAB, World

ROOT = Caller()


async def opened(*about: object) -> Handle:
    """A device or descriptor as some host opens it; its name tells which."""
    return Plain(os.memfd_create("/".join(str(x) for x in about)))


class Bench:
    def __init__(self, network: Network, control: ControlLog) -> None:
        self.control = control
        self.asked: list[tuple[object, ...]] = []
        self.others: list[t.Process] = []
        self.tree = Tree(
            network.hosts[0].files,
            {
                b"dev": DeviceFiles(control, self._device),
                b"proc": Proc(control, self, self._descriptor, self._facts, self._kill),
                b"runtime": Runtimes(
                    control,
                    {"hub": 0.5}.get,
                    {"hub": (3, 2)}.get,
                    DeviceFacts(self._state, self._readers),
                ),
            },
        )

    async def all(self) -> list[t.Process]:
        return self.others

    async def find(self, pid: int) -> t.Process | None:
        return next((process for process in self.others if process.pid == pid), None)

    async def _device(self, member: t.Member, device: t.Device, flags: int, pid: int) -> Handle:
        self.asked.append((member.name, device.name, flags))
        return await opened(member.name, device.name)

    async def _state(self, host: HostName, name: str) -> m.DeviceState:
        here = [m.ReaderState(7, 5, 0, 0)]
        return m.DeviceState("fifo", "r", False, True, 3, 9, 90, 1, 2, ["lab", "far"], here)

    async def _readers(self, host: HostName, of: HostName, name: str) -> m.DeviceState | None:
        if host == "far":
            return None
        there = [m.ReaderState(8, 5, 2, 1)]
        return m.DeviceState("", "", False, True, 1, 0, 0, 3, 0, [], there)

    async def _descriptor(self, process: t.Process, number: int, flags: int) -> Handle:
        self.asked.append((process.pid, number, flags))
        return await opened(process.pid, number)

    async def _facts(self, process: t.Process) -> m.ProcessFacts:
        return m.ProcessFacts(b"/runtime/hub", b"SECRET=1\0")

    async def _kill(self, pid: int, number: int) -> None:
        self.asked.append((pid, "kill", number))

    async def names(self, path: bytes, caller: Caller = ROOT) -> list[bytes]:
        return [entry.name for entry in await self.tree.list(path, caller)]

    async def text(self, path: bytes, caller: Caller = ROOT) -> str:
        handle = await self.tree.open(path, os.O_RDONLY, 0, caller)
        try:
            return os.pread(handle.fd, 10_000, 0).decode()
        finally:
            await handle.close()


@pytest.fixture
async def bench(network: Network) -> Bench:
    hub, _ = await network.start(HUB, LAB)
    return Bench(network, hub.control)


async def arrive_with(bench: Bench, network: Network, host: HostName, *devices: t.Device) -> None:
    facts = t.Facts("127.0.0.1", 1, 2, 3, True, ["strong"], devices=list(devices))
    control = next(x.control for x in network.hosts if x.host == host)
    await control.submit(t.Arrive(host, facts, 3))
    await bench.control.barrier()


async def failure(work: Awaitable[object]) -> str:
    with pytest.raises(FileError) as raised:
        await work
    return errno.errorcode[raised.value.errno]


# --- paths ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "code"),
    [(b"", "ENOENT"), (b"a", "EINVAL"), (b"/a\0", "EINVAL"), (b"/" + b"a" * 4096, "ENAMETOOLONG")],
)
def test_what_is_no_path_is_refused(path: bytes, code: str) -> None:
    with pytest.raises(FileError) as raised:
        split(path)
    assert errno.errorcode[raised.value.errno] == code


# --- the whole --------------------------------------------------------------------------------
async def test_parts_cannot_be_changed_by_a_program(bench: Bench) -> None:
    tree = bench.tree
    assert await failure(tree.mkdir(b"/proc/x", 0o755, ROOT)) == "EPERM"
    assert await failure(tree.mkdir(b"/proc", 0o755, ROOT)) == "EEXIST"
    assert await failure(tree.unlink(b"/dev/null", ROOT)) == "EPERM"
    assert await failure(tree.rmdir(b"/", ROOT)) == "EBUSY"
    assert await failure(tree.rename(b"/d", b"/proc/d", ROOT)) == "EXDEV"
    assert await failure(tree.open(b"/proc", os.O_WRONLY, 0, ROOT)) == "EISDIR"
    assert await failure(tree.open(b"/proc/none", os.O_RDONLY, 0, ROOT)) == "ENOENT"
    assert await failure(tree.stat(b"/runtime/hub/cores/x", ROOT)) == "ENOTDIR"
    assert await failure(tree.open(b"/runtime/hub/cores", os.O_WRONLY, 0, ROOT)) == "EACCES"
    assert await failure(tree.list(b"/runtime/hub/cores", ROOT)) == "ENOTDIR"


async def test_realpath_names_what_is_there(bench: Bench) -> None:
    assert await bench.tree.realpath(b"/d/../proc/./", ROOT) == b"/proc"
    assert await failure(bench.tree.realpath(b"/runtime/hub/cores/", ROOT)) == "ENOTDIR"
    assert await failure(bench.tree.realpath(b"/nothing", ROOT)) == "ENOENT"
    for raw, clean in (
        (b"/", b"/"),
        (b"//d///", b"/d"),
        (b"/../../d/.", b"/d"),
        (b"/proc/./../runtime/hub/../", b"/runtime"),
        (b"/proc/../d/../dev/null", b"/dev/null"),
    ):
        assert await bench.tree.realpath(raw, ROOT) == clean
    assert await failure(bench.tree.realpath(b"/runtime/nobody/../hub", ROOT)) == "ENOENT"
    assert await failure(bench.tree.realpath(b"/runtime/hub/cores/..", ROOT)) == "ENOTDIR"


async def test_truncation_is_committed(bench: Bench, network: Network) -> None:
    hub = network.hosts[0]
    handle = await bench.tree.open(b"/d/f", os.O_WRONLY | os.O_CREAT, 0o644, ROOT)
    os.write(handle.fd, b"hello")
    await handle.close()
    await bench.tree.truncate(b"/d/f", 2, ROOT)
    assert (await hub.names.inode(b"/d/f")).size == 2
    assert await failure(bench.tree.truncate(b"/d", 0, ROOT)) == "EISDIR"
    assert await failure(bench.tree.truncate(b"/dev/null", 0, ROOT)) == "EINVAL"


async def test_place_is_the_same_inode_on_every_look(bench: Bench) -> None:
    first = await bench.tree.stat(b"/runtime//hub/./cores", ROOT)
    listed = {e.name: e.ino for e in await bench.tree.list(b"/runtime/hub", ROOT)}
    assert first.ino == listed[b"cores"]
    assert first.ino != (await bench.tree.stat(b"/runtime/lab/cores", ROOT)).ino


# --- /proc and /runtime -----------------------------------------------------------------------
async def spawn(bench: Bench, world: World, host: HostName) -> int:
    program = t.NewProcess(host, world.incarnations[host], [b"/bin/cat", b"a\nState:\tX"], b"/")
    epoch = world.epoch(bench.control, "scheduler")
    [pid] = await bench.control.submit(
        t.Spawn(epoch, SessionId(1), Pid(0), "ann", [program], 10**18)
    )
    return int(pid)


async def test_process_shows_as_in_proc(bench: Bench, world: World) -> None:
    pid = await spawn(bench, world, HUB)
    place = b"/proc/%d" % pid
    assert await bench.text(place + b"/cmdline") == "/bin/cat\0a\nState:\tX\0"
    status = await bench.text(place + b"/status")
    # An argument cannot fake a line.
    assert [line for line in status.splitlines() if line.startswith("State:")] == [
        "State:\tR (running)"
    ]
    assert "Name:\tcat\n" in status
    assert await bench.text(place + b"/host") == "hub\n"
    assert await bench.names(place + b"/fd") == [b"0", b"1", b"2"]
    handle = await bench.tree.open(place + b"/fd/1", os.O_WRONLY, 0, ROOT)
    await handle.close()
    assert bench.asked == [(pid, 1, os.O_WRONLY)]
    assert await failure(bench.tree.stat(place + b"/fd/3", ROOT)) == "ENOENT"
    assert await failure(bench.tree.stat(place + b"/status/x", ROOT)) == "ENOTDIR"
    ended = t.Ended(HUB, world.incarnations[HUB], [(Pid(pid), 3)], 10**18)
    await bench.control.submit(ended)
    assert "ExitStatus:\t3\n" in await bench.text(place + b"/status")
    assert b"fd" not in await bench.names(place)


async def test_process_says_where_it_works_and_takes_orders(bench: Bench, world: World) -> None:
    place = b"/proc/%d" % await spawn(bench, world, HUB)
    assert stat.S_ISLNK((await bench.tree.stat(place + b"/cwd", ROOT, False)).mode)
    assert await bench.tree.readlink(place + b"/cwd", ROOT) == b"/runtime/hub"
    assert await bench.text(place + b"/cwd/state") == "alive\n"
    assert await bench.tree.realpath(place + b"/cwd/..", ROOT) == b"/runtime"
    assert await bench.text(place + b"/environ", Caller("ann")) == "SECRET=1\0"
    no = Caller("eve")
    assert await failure(bench.tree.open(place + b"/environ", os.O_RDONLY, 0, no)) == "EACCES"

    assert await failure(bench.tree.open(place + b"/ctl", os.O_RDONLY, 0, ROOT)) == "EACCES"
    for said, gives in (("stop\n", ["kill", 19]), ("SIGCONT 9", ["kill", 9]), ("x", "EINVAL")):
        handle = await bench.tree.open(place + b"/ctl", os.O_WRONLY | os.O_TRUNC, 0, ROOT)
        os.write(handle.fd, said.encode())
        if isinstance(gives, str):
            assert await failure(handle.close()) == gives
        else:
            await handle.close()
            assert list(bench.asked[-1][1:]) == gives


async def test_statistics_are_where_readers_of_the_kernels_proc_look(
    bench: Bench, world: World
) -> None:
    pid = await spawn(bench, world, HUB)
    _, _, rest = (await bench.text(b"/proc/%d/stat" % pid)).rpartition(")")
    fields = rest.split()
    assert fields[0] == "R" and len(fields) == 50
    ended = t.Ended(HUB, world.incarnations[HUB], [(Pid(pid), 3)], 10**18)
    await bench.control.submit(ended)
    last = (await bench.text(b"/proc/%d/stat" % pid)).split()[-1]
    assert os.waitstatus_to_exitcode(int(last)) == 3


async def test_what_programs_started_shows_beside_the_table(bench: Bench, world: World) -> None:
    pid = await spawn(bench, world, HUB)
    entry = bench.control.state.processes[pid]
    bench.others = [msgspec.structs.replace(entry, pid=Pid(2_000_000), ppid=Pid(pid))]
    assert {b"%d" % pid, b"2000000"} <= set(await bench.names(b"/proc"))
    assert f"PPid:\t{pid}\n" in await bench.text(b"/proc/2000000/status")
    assert await failure(bench.tree.stat(b"/proc/2000001", ROOT)) == "ENOENT"


async def test_self_is_the_asking_process(bench: Bench, world: World) -> None:
    pid = await spawn(bench, world, HUB)
    caller = Caller(pid=pid)
    assert b"self" in await bench.names(b"/proc", caller)
    assert b"self" not in await bench.names(b"/proc")
    text = await bench.text(b"/proc/self/stat", caller)
    assert text.startswith(f"{pid} (cat) R ")
    assert await failure(bench.tree.stat(b"/proc/self", ROOT)) == "ENOENT"


async def test_runtime_shows_what_a_host_is(
    bench: Bench,
    network: Network,
    world: World,
) -> None:
    await spawn(bench, world, HUB)
    assert await bench.names(b"/runtime") == [b"hub", b"lab"]
    assert await bench.text(b"/runtime/hub/load") == "0.50\n"
    assert await bench.text(b"/runtime/hub/agents") == "1\n"
    assert "scheduler" in await bench.text(b"/runtime/hub/services")
    await arrive_with(bench, network, LAB)
    assert await bench.text(b"/runtime/lab/tags") == "strong\n"
    assert await bench.text(b"/runtime/lab/load") == "\n"
    texts = [await bench.text(b"/runtime/" + x) for x in (b"hub/damaged", b"hub/repaired")]
    assert [*texts, await bench.text(b"/runtime/lab/damaged")] == ["3\n", "2\n", "\n"]
    assert await failure(bench.tree.stat(b"/runtime/nobody/cores", ROOT)) == "ENOENT"


# --- /dev -------------------------------------------------------------------------------------
async def test_devices_stand_where_their_names_say(bench: Bench, network: Network) -> None:
    await arrive_with(
        bench, network, LAB, t.Device("sensor/1", "file", "r"), t.Device("led", "fifo", "w")
    )
    assert {b"led", b"null", b"sensor"} <= set(await bench.names(b"/dev"))
    assert await bench.names(b"/dev/sensor") == [b"1"]
    mode = (await bench.tree.stat(b"/dev/sensor/1", ROOT)).mode
    assert stat.S_ISCHR(mode) and stat.S_IMODE(mode) == 0o444
    handle = await bench.tree.open(b"/dev/sensor/1", os.O_RDONLY, 0, ROOT)
    # What was opened is shown, not the pipe that brings it.
    assert stat.S_ISCHR((await handle.stat()).mode)
    await handle.close()
    assert bench.asked == [(LAB, "sensor/1", os.O_RDONLY)]
    assert await failure(bench.tree.open(b"/dev/sensor/1", os.O_WRONLY, 0, ROOT)) == "EACCES"
    assert await failure(bench.tree.open(b"/dev/led", os.O_RDWR, 0, ROOT)) == "EACCES"
    assert await failure(bench.tree.stat(b"/dev/sensor/2", ROOT)) == "ENOENT"
    assert await failure(bench.tree.stat(b"/dev/led/x", ROOT)) == "ENOTDIR"


async def test_live_host_serves_a_name_that_two_declare(bench: Bench, network: Network) -> None:
    device = t.Device("sensor/1", "file", "r")
    await arrive_with(bench, network, HUB, device)
    await arrive_with(bench, network, LAB, device)
    await (await bench.tree.open(b"/dev/sensor/1", os.O_RDONLY, 0, ROOT)).close()
    members = bench.control.state.members
    lab = next(host for host in network.hosts if host.host == LAB)
    await lab.control.submit(t.DeclareDead(HUB, members["hub"].incarnation, "x", 4))
    await bench.control.wait_for(lambda: bench.control.state.members["hub"].state == "dead")
    await (await bench.tree.open(b"/dev/sensor/1", os.O_RDONLY, 0, ROOT)).close()
    assert [asked[0] for asked in bench.asked] == [HUB, LAB]


async def test_device_of_a_host_that_is_away_says_so_at_once(
    bench: Bench, network: Network
) -> None:
    await arrive_with(bench, network, LAB, t.Device("led", "fifo", "w"))
    incarnation = bench.control.state.members["lab"].incarnation
    await bench.control.submit(t.DeclareDead(LAB, incarnation, "x", 4))
    with pytest.raises(FileError) as raised:
        await bench.tree.open(b"/dev/led", os.O_WRONLY, 0, ROOT)
    assert raised.value.errno == errno.ENXIO
    assert "lab is dead" in raised.value.hint


async def test_nodes_every_host_has_are_opened_by_the_program(bench: Bench) -> None:
    handle = await bench.tree.open(b"/dev/null", os.O_WRONLY, 0, ROOT)
    assert (handle.kind, handle.path) == ("host", "/dev/null")
    null = await bench.tree.stat(b"/dev/null", ROOT)
    assert null.rdev == os.stat("/dev/null").st_rdev


# --- links --------------------------------------------------------------------------------------
async def write(bench: Bench, path: bytes, data: bytes, flags: int = 0) -> None:
    handle = await bench.tree.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o644, ROOT)
    os.write(handle.fd, data)
    await handle.close()


async def test_a_link_leads_into_the_parts_and_out_again(bench: Bench) -> None:
    tree = bench.tree
    await write(bench, b"/d/f", b"hello")
    for target, path in (
        (b"/dev/null", b"/d/null"),
        (b"../proc", b"/d/proc"),
        (b"/runtime/hub", b"/d/hub"),
        (b"hub/../../d/f", b"/d/round"),
        (b"/dev/nothing", b"/d/dangling"),
    ):
        await tree.symlink(target, path, ROOT)
        assert await tree.readlink(path, ROOT) == target
        assert stat.S_ISLNK((await tree.stat(path, ROOT, follow=False)).mode)
    assert stat.S_ISCHR((await tree.stat(b"/d/null", ROOT)).mode)
    handle = await tree.open(b"/d/null", os.O_WRONLY | os.O_CREAT, 0o644, ROOT)
    assert (handle.kind, handle.path) == ("host", "/dev/null")
    assert await failure(tree.open(b"/d/null", os.O_NOFOLLOW, 0, ROOT)) == "ELOOP"
    assert await bench.text(b"/d/hub/load") == "0.50\n"
    assert await bench.names(b"/d/hub/..") == [b"hub", b"lab"]
    assert await bench.text(b"/d/hub/../../d/round") == "hello"
    assert await tree.realpath(b"/d/proc/../d/round", ROOT) == b"/d/f"
    directory = await tree.open(b"/d/hub/", os.O_RDONLY | os.O_DIRECTORY, 0, ROOT)
    assert (directory.kind, directory.name) == ("dir", b"/runtime/hub")  # type: ignore[attr-defined]
    assert await failure(tree.stat(b"/d/dangling", ROOT)) == "ENOENT"
    assert await failure(tree.stat(b"/d/null/", ROOT)) == "ENOTDIR"
    assert await tree.head(b"/d/null", 9, ROOT) == b""


async def test_what_changes_names_does_not_follow_the_last_link_into_a_part(bench: Bench) -> None:
    tree = bench.tree
    await write(bench, b"/d/f", b"hello")
    await tree.symlink(b"/runtime/hub", b"/d/hub", ROOT)
    assert await failure(tree.mkdir(b"/d/hub", 0o755, ROOT)) == "EEXIST"
    assert await failure(tree.mkdir(b"/d/hub/x", 0o755, ROOT)) == "EPERM"
    assert await failure(tree.mkdir(b"/d/hub/load", 0o755, ROOT)) == "EEXIST"
    assert await failure(tree.unlink(b"/d/hub/load", ROOT)) == "EPERM"
    assert await failure(tree.rename(b"/d/f", b"/d/hub/f", ROOT)) == "EXDEV"
    assert await failure(tree.rename(b"/d/hub/load", b"/d/f", ROOT)) == "EXDEV"
    assert await failure(tree.link(b"/d/hub/load", b"/d/g", ROOT)) == "EXDEV"
    assert await failure(tree.link(b"/runtime/hub/load", b"/runtime/x", ROOT)) == "EPERM"
    assert await failure(tree.chmod(b"/d/hub", 0o700, ROOT)) == "EPERM"
    assert await failure(tree.readlink(b"/d/hub/load", ROOT)) == "EINVAL"
    await tree.rename(b"/d/hub/../../d/f", b"/d/hub/../../d/g", ROOT)
    await tree.rename(b"/d/hub", b"/d/lab", ROOT)
    await tree.unlink(b"/d/lab", ROOT)
    assert await bench.names(b"/d") == [b"g"]


async def test_links_through_the_parts_are_bounded_in_all(bench: Bench) -> None:
    # Each way round begins a walk of its own; they count together.
    await bench.tree.symlink(b"/proc/../d/loop", b"/d/loop", ROOT)
    assert await failure(bench.tree.stat(b"/d/loop", ROOT)) == "ELOOP"
    assert await failure(bench.tree.open(b"/d/loop", os.O_CREAT, 0, ROOT)) == "ELOOP"
    assert await failure(bench.tree.link(b"/d/loop/x", b"/d/y", ROOT)) == "ELOOP"


async def test_what_the_tree_must_have_stays_under_whatever_path(bench: Bench) -> None:
    tree = bench.tree
    await tree.symlink(b"/", b"/d/root", ROOT)
    for path in (b"/home", b"/d/../home/", b"/d/root/home", b"/d/root/proc/../bin"):
        assert await failure(tree.rmdir(path, ROOT)) == "EBUSY"
        assert await failure(tree.rename(path, b"/d/x", ROOT)) == "EBUSY"
        assert await failure(tree.rename(b"/d", path, ROOT)) == "EBUSY"
    await tree.mkdir(b"/d/home", 0o755, ROOT)
    await tree.rmdir(b"/d/root/d/home", ROOT)


async def test_a_link_made_at_one_host_shares_content_with_all(
    bench: Bench, network: Network
) -> None:
    hub, lab = network.hosts
    await write(bench, b"/d/f", b"hello")
    there = Tree(lab.files, {})
    await there.symlink(b"f", b"/d/soft", ROOT)
    await there.link(b"/d/soft", b"/d/hard", ROOT, follow=True)
    assert await bench.text(b"/d/soft") == await bench.text(b"/d/hard") == "hello"
    assert (await bench.tree.stat(b"/d/f", ROOT)).nlink == 2
    await write(bench, b"/d/hard", b" again", os.O_APPEND)
    await there.unlink(b"/d/f", ROOT)
    assert await there.head(b"/d/hard", 99, ROOT) == b"hello again"
    # The link to nothing makes its target anew.
    await write(bench, b"/d/soft", b"new")
    assert await there.head(b"/d/f", 99, ROOT) == b"new"
    excl = os.O_CREAT | os.O_EXCL
    assert await failure(bench.tree.open(b"/d/soft", excl, 0, ROOT)) == "EEXIST"
    assert (await hub.names.inode(b"/d/hard")).nlink == 1


async def test_what_is_open_shows_changed_attributes(bench: Bench) -> None:
    handle = await bench.tree.open(b"/file", os.O_RDWR | os.O_CREAT, 0o600, ROOT)
    await bench.tree.chmod(b"/file", 0o751, ROOT)
    await bench.tree.chown(b"/file", 2**31, -1, ROOT)
    shown = await handle.stat()
    await handle.close()
    assert (stat.S_IMODE(shown.mode), shown.uid, shown.gid) == (0o751, 2**31, ROOT.gid)


async def test_a_directory_of_facts_may_be_kept_and_nothing_in_it_or_that_leads_there(
    bench: Bench,
) -> None:
    await bench.tree.symlink(b"/proc", b"/link", ROOT)
    for path, kept in ((b"/proc", True), (b"/dev", True), (b"/dev/null", False), (b"/link", False)):
        look = await bench.tree.look(path, ROOT, follow=True)
        assert (look.name_kept, look.attributes_kept) == (kept, kept), path


async def test_fifos_and_sockets_stand_for_things_of_the_host(bench: Bench) -> None:
    tree = bench.tree
    await tree.mknod(b"/fifo", stat.S_IFIFO | 0o600, ROOT)
    await tree.mknod(b"/socket", stat.S_IFSOCK | 0o600, ROOT)
    # With O_CREAT too, for a shell's `> fifo`.
    for flags in (os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC):
        handle = await tree.open(b"/fifo", flags, 0o600, ROOT)
        assert (handle.kind, stat.S_ISFIFO(os.stat(handle.path).st_mode)) == ("host", True)
    await tree.rename(b"/fifo", b"/renamed", ROOT)
    assert (await tree.open(b"/renamed", os.O_RDONLY, 0, ROOT)).path == handle.path
    await tree.unlink(b"/renamed", ROOT)
    assert not os.path.exists(handle.path)

    assert await failure(tree.open(b"/socket", os.O_RDWR, 0, ROOT)) == "ENXIO"
    assert os.path.dirname(await tree.meeting(b"/socket", ROOT)) == os.path.dirname(handle.path)
    assert await failure(tree.meeting(b"/dev/null", ROOT)) == "ECONNREFUSED"
    assert await failure(tree.meeting(b"/fifo", ROOT)) == "ENOENT"


async def test_a_device_says_who_reads_it_on_every_host(bench: Bench, network: Network) -> None:
    await arrive_with(bench, network, HUB, t.Device("sensor/1", "fifo", "r", True))
    assert await bench.names(b"/runtime/hub/devices") == [b"sensor"]
    assert await bench.names(b"/runtime/hub/devices/sensor") == [b"1"]
    shown = await bench.text(b"/runtime/hub/devices/sensor/1")
    assert shown.splitlines() == [
        "kind fifo",
        "mode r",
        "shared yes",
        "exclusive no",
        "openings 3",
        "readings 9",
        "bytes 90",
        "ended 2",
        "lost 4",
        "reader hub 7 got 5 lost 0 waiting 0",
        "reader lab 8 got 5 lost 2 waiting 1",
        "no-answer far",
    ]
    with pytest.raises(FileError) as raised:
        await bench.tree.open(b"/runtime/hub/devices/sensor/1", os.O_WRONLY, 0, ROOT)
    assert raised.value.errno == errno.EACCES
    with pytest.raises(FileError) as raised:
        await bench.tree.stat(b"/runtime/hub/devices/sensor/2", ROOT)
    assert raised.value.errno == errno.ENOENT
