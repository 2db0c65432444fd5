"""Files in use on several hosts: one home at a time, nothing acknowledged lost, races looked at."""

import asyncio
import errno
import os
from typing import Any

import pytest

from oneos.errors import Fenced, FileError, OneOSError, Unknown
from oneos.files import late_closes
from oneos.files import unused as unused_module
from oneos.files.handles import Handle
from oneos.files.opened import LocalFile
from oneos.files.remote import RemoteFile
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.state import control_types as t
from oneos.state.names_types import Inode
from tests.support.waiting import eventually
from tests.unit.files.support import ROOT, Host, Network
from tests.unit.kernel.support import HUB, LAB

ATTIC = HostName("attic")
WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
PATH = b"/d/file"


async def put(host: Host, data: bytes, flags: int = WRITE, path: bytes = PATH) -> Handle:
    """Open and write; the caller closes."""
    handle = await host.files.open(path, flags, 0o644, ROOT)
    if isinstance(handle, RemoteFile):
        await handle.pwrite(-1 if flags & os.O_APPEND else 0, data)
    else:
        os.write(handle.fd, data)
    return handle


async def write(host: Host, data: bytes, flags: int = WRITE, path: bytes = PATH) -> None:
    await (await put(host, data, flags, path)).close()


async def read(host: Host, path: bytes = PATH) -> bytes:
    handle = await host.files.open(path, os.O_RDONLY, 0, ROOT)
    try:
        if isinstance(handle, RemoteFile):
            return await handle.pread(0, 1000)
        return os.pread(handle.fd, 1000, 0)
    finally:
        await handle.close()


async def inode(host: Host, path: bytes = PATH) -> Inode:
    return await host.names.inode(path)


async def test_closed_file_is_read_everywhere_and_lies_on_two_disks(network: Network) -> None:
    hub, lab = await network.start(HUB, LAB)
    await write(lab, b"hello")
    assert await read(hub) == b"hello"
    now = await inode(hub)
    assert set(now.copies) == {HUB, LAB}
    assert hub.chunks.missing(now.chunks) == lab.chunks.missing(now.chunks) == []
    assert now.writing is False


async def test_completed_write_shows_at_once_where_the_file_is_open_elsewhere(
    network: Network,
) -> None:
    hub, lab = await network.start(HUB, LAB)
    writer = await put(lab, b"first")
    assert isinstance(writer, LocalFile)
    reader = await hub.files.open(PATH, os.O_RDONLY, 0, ROOT)
    assert isinstance(reader, RemoteFile)
    assert await reader.pread(0, 100) == b"first"
    assert (await hub.files.stat(PATH)).size == 5
    os.write(writer.fd, b" second")
    assert await reader.pread(0, 100) == b"first second"
    assert (await hub.files.stat(PATH)).size == 12
    await reader.close()
    await writer.close()


async def test_stat_asks_the_home_as_long_as_anybody_writes(network: Network) -> None:
    """One writer's close is final only if no other writer has come meanwhile."""
    hub, lab = await network.start(HUB, LAB)
    first = await put(lab, b"one")
    second, _ = await asyncio.gather(put(hub, b"+", os.O_WRONLY | os.O_APPEND), first.close())
    assert isinstance(second, RemoteFile | LocalFile)
    if isinstance(second, RemoteFile):
        await second.pwrite(-1, b"+")
    else:
        os.write(second.fd, b"+")
    assert (await lab.files.stat(PATH)).size == 5
    await second.close()
    assert await read(lab) == b"one++"
    assert (await inode(lab)).writing is False


async def test_reader_that_truncates_commits(network: Network) -> None:
    (hub,) = await network.start(HUB)
    await write(hub, b"hello")
    handle = await hub.files.open(PATH, os.O_RDONLY | os.O_TRUNC, 0, ROOT)
    await handle.close()
    now = await inode(hub)
    assert (now.size, now.writing) == (0, False)


async def test_appends_of_two_hosts_never_overlap(network: Network) -> None:
    hub, lab = await network.start(HUB, LAB)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND

    async def append(host: Host, byte: bytes) -> None:
        handle = await host.files.open(PATH, flags, 0o644, ROOT)
        for _ in range(50):
            if isinstance(handle, RemoteFile):
                await handle.pwrite(-1, byte * 7)
            else:
                os.write(handle.fd, byte * 7)
                await asyncio.sleep(0)
        await handle.close()

    await asyncio.gather(append(hub, b"h"), append(lab, b"l"))
    data = await read(hub)
    handle = await hub.files.open(PATH, os.O_RDONLY, 0, ROOT)
    assert (await handle.stat()).size == 700
    await handle.close()
    assert {data[at : at + 7] for at in range(0, 700, 7)} == {b"h" * 7, b"l" * 7}


async def test_file_being_made_is_not_taken_away(network: Network) -> None:
    """Both open the same new file at once, again and again: each write and close succeeds."""
    hub, lab = await network.start(HUB, LAB)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number in range(30):
        path = b"/d/%d" % number
        await asyncio.gather(write(hub, b"h", flags, path), write(lab, b"l", flags, path))
        assert sorted(await read(hub, path)) == sorted(b"hl")


async def test_home_that_is_given_up_while_it_is_opened_is_opened_anew(network: Network) -> None:
    hub, lab = await network.start(HUB, LAB)
    await write(lab, b"0")
    for number in range(20):
        data = b"%d" % number
        _, seen = await asyncio.gather(write(lab, data), read(hub))
        assert seen in (data, b"%d" % max(number - 1, 0), b"")
        assert await read(hub) == data


async def test_old_look_does_not_replace_what_the_home_has_now(network: Network) -> None:
    hub, lab = await network.start(HUB, LAB)
    await write(lab, b"old")
    old = await inode(lab)
    await read(hub)
    writer = await put(lab, b"newer")
    assert (await inode(lab)).home_epoch > old.home_epoch
    with pytest.raises(Fenced):
        await lab.homes.open(old, os.O_RDONLY, LAB)
    await writer.close()
    assert await read(hub) == b"newer"


async def test_close_of_a_lost_home_touches_nothing_of_the_next_one(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a host that was given up while it lived: its late close is an error and no more."""
    monkeypatch.setattr("oneos.runtime.peers.PEER_NEWS_S", 0.05)
    hub, lab = await network.start(HUB, LAB)
    late = await put(lab, b"late")
    control = hub.control
    await control.submit(t.DeclareDead(LAB, lab.incarnation, "silent", 1))
    await write(hub, b"newer")
    with pytest.raises(OneOSError):
        await late.close()
    assert await read(hub) == b"newer"


async def test_idle_homes_are_given_up_the_oldest_first(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unused_module, "HOMES_IDLE_MAX", 3)
    (hub,) = await network.start(HUB)
    for number in range(6):
        await write(hub, b"x", path=b"/d/%d" % number)
    await eventually(lambda: len(hub.backing.inos()) == 3)
    homes = [(await inode(hub, b"/d/%d" % number)).home for number in range(6)]
    assert homes == ["", "", "", HUB, HUB, HUB]
    assert await read(hub, b"/d/0") == b"x"


async def test_unlinked_file_is_dropped_when_it_is_closed(network: Network) -> None:
    hub, lab = await network.start(HUB, LAB)
    writer = await put(lab, b"x")
    await hub.files.unlink(PATH)
    os.write(writer.fd, b"y")
    await writer.close()
    await eventually(lambda: not lab.backing.inos())
    with pytest.raises(FileError) as raised:
        await lab.files.stat(PATH)
    assert raised.value.errno == errno.ENOENT


# --- what other hosts have open ---------------------------------------------------------------
async def remote(network: Network) -> tuple[Host, Host, RemoteFile]:
    hub, lab = await network.start(HUB, LAB)
    await (await put(lab, b"")).sync()
    handle = await hub.files.open(PATH, os.O_RDWR, 0, ROOT)
    assert isinstance(handle, RemoteFile)
    return hub, lab, handle


async def test_openings_of_a_host_that_is_gone_are_committed_and_closed(network: Network) -> None:
    _, lab, handle = await remote(network)
    await handle.pwrite(0, b"last words")
    assert len(lab.calls) == 1
    await lab.calls.drop(HUB)
    assert len(lab.calls) == 0
    assert (await inode(lab)).size == 10


async def test_only_openings_of_an_earlier_run_are_closed_when_a_host_returns(
    network: Network,
) -> None:
    hub, lab, handle = await remote(network)
    await lab.calls.drop(HUB, before=hub.incarnation)
    assert len(lab.calls) == 1
    await handle.pwrite(0, b"still there")
    await lab.calls.drop(HUB, before=hub.incarnation + 1)
    assert len(lab.calls) == 0


class Breaking:
    """Stands before a host's links and loses the answers of one method."""

    def __init__(self, host: Host, method: str, times: int) -> None:
        self._call = host.links.call
        self._method = method
        self.left = times

    async def __call__(self, host: HostName, method: str, *args: Any, **kw: Any) -> Any:
        answer = await self._call(host, method, *args, **kw)
        if method == self._method and self.left:
            self.left -= 1
            raise Unknown("the connection broke")
        return answer


async def test_opening_whose_answer_was_lost_is_closed(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, lab = await network.start(HUB, LAB)
    writer = await put(lab, b"x")
    breaking = Breaking(hub, "home.open", 2)
    monkeypatch.setattr(hub.links, "call", breaking)
    handle = await hub.files.open(PATH, os.O_RDONLY, 0, ROOT)
    assert breaking.left == 0
    await eventually(lambda: len(lab.calls) == 1)
    await handle.close()
    assert len(lab.calls) == 0
    await writer.close()


async def test_home_moves_to_the_reader_with_one_record(network: Network) -> None:
    hub, lab = await network.start(HUB, LAB)
    await write(hub, b"content")
    before = await inode(hub)
    agreed = network.index.names.applied_seq
    assert await read(lab) == b"content"
    now = await inode(hub)
    assert (now.home, now.home_epoch) == (LAB, before.home_epoch + 1)
    assert network.index.names.applied_seq == agreed + 1


async def test_home_whose_move_was_not_heard_of_is_found_by_looking_again(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, lab = await network.start(HUB, LAB)
    await write(hub, b"content")
    breaking = Breaking(lab, "home.yield", 1)
    monkeypatch.setattr(lab.links, "call", breaking)
    assert await read(lab) == b"content"
    assert breaking.left == 0
    assert (await inode(hub)).home == LAB
    # And nobody who asks meanwhile finds it nowhere.
    assert await read(hub) == b"content"


async def test_file_on_its_way_to_a_host_is_not_given_away_before_it_is_opened(
    network: Network,
) -> None:
    hub, lab = await network.start(HUB, LAB)
    await write(hub, b"content")
    now = await inode(hub)
    with lab.homes.coming(now.ino):
        assert await hub.homes.hand_over(now.ino, now.home_epoch, LAB, lab.incarnation, False)
        now = await inode(hub)
        assert now.home == LAB
        assert not await lab.homes.give_up(now.ino, now.home_epoch)
    assert await lab.homes.give_up(now.ino, now.home_epoch)


async def test_close_whose_answer_was_lost_is_asked_for_again(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, lab, handle = await remote(network)
    await handle.pwrite(0, b"hello")
    monkeypatch.setattr(hub.links, "call", Breaking(hub, "home.close", 2))
    await handle.close()
    assert len(lab.calls) == 0
    assert (await inode(hub)).size == 5


async def test_opening_of_a_caller_that_gave_up_is_closed(network: Network) -> None:
    hub, lab = await network.start(HUB, LAB)
    writer = await put(lab, b"x")
    now = await inode(hub)
    home = lab.homes._homes[now.ino]
    async with home.lock:
        request = m.HomeOpen(now.ino, now.home_epoch, os.O_RDONLY, 77)
        call = asyncio.create_task(hub.links.call(LAB, "home.open", request, m.HomeOpened))
        await eventually(lambda: lab.calls._opening)
        call.cancel()
        await asyncio.wait((call,))
    await eventually(lambda: not lab.calls._tasks)
    assert len(lab.calls) == 0
    assert home.opens == 1
    await writer.close()


async def test_close_goes_on_when_the_caller_gave_up(network: Network) -> None:
    hub, lab, handle = await remote(network)
    await handle.pwrite(0, b"hello")
    (opened,) = lab.calls._open.values()
    async with opened.home.lock:
        call = asyncio.create_task(hub.links.call(LAB, "home.close", handle._handle, None))
        await eventually(lambda: lab.calls._closes)
        call.cancel()
        await asyncio.wait((call,))
    await handle.close()
    assert (await inode(hub)).size == 5


async def test_kernel_refusal_at_the_home_keeps_its_errno(network: Network) -> None:
    *_, handle = await remote(network)
    with pytest.raises(FileError) as raised:
        await handle.truncate(1 << 62)
    assert raised.value.errno == errno.EFBIG
    await handle.close()


async def test_host_that_was_declared_dead_gets_no_answer_until_it_arrives_anew(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneos.runtime.peers.PEER_NEWS_S", 0.05)
    hub, lab = await network.start(HUB, LAB)
    await write(hub, b"x")
    now = await inode(hub)
    await hub.control.submit(t.DeclareDead(LAB, lab.incarnation, "silent", 1))
    question = m.HomeFile(now.ino, now.home_epoch)
    with pytest.raises(Fenced, match="lab is dead"):
        await lab.links.call(HUB, "home.stat", question, m.HomeStat)
    hub.links.drop(LAB)
    with pytest.raises(OneOSError, match="lab is not up"):
        await hub.links.call(LAB, "home.stat", question, m.HomeStat)
    await lab.control.submit(t.Arrive(LAB, t.Facts("127.0.0.1", 1, 2, 3, True), 2))
    await lab.links.call(HUB, "home.stat", question, m.HomeStat)


async def test_file_that_is_closed_later_is_noted_as_closed(network: Network) -> None:
    hub, lab = await network.start(HUB, LAB)
    writer = await put(lab, b"hello")
    assert isinstance(writer, LocalFile)
    await writer.sync()
    committed = await inode(hub)
    await writer.release()
    assert committed.writing and committed.size == 5
    await eventually(lambda: lab.homes.open_count() == 0)
    now = await inode(hub)
    assert not now.writing
    assert (now.chunks, now.copies) == (committed.chunks, committed.copies)
    assert await read(hub) == b"hello"


async def test_file_that_is_to_be_closed_later_goes_at_once_to_a_host_that_opens_it(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(late_closes, "CLOSE_LATE_S", 3600)
    hub, lab = await network.start(HUB, LAB)
    writer = await put(lab, b"hello")
    assert isinstance(writer, LocalFile)
    await writer.sync()
    await writer.release()
    reader = await hub.files.open(PATH, os.O_RDONLY, 0, ROOT)
    assert isinstance(reader, LocalFile)
    assert os.pread(reader.fd, 100, 0) == b"hello"
    await reader.close()


async def test_file_is_opened_by_its_number_only_where_it_is_at_home(network: Network) -> None:
    hub, lab = await network.start(HUB, LAB)
    await write(lab, b"hello")
    ino = (await inode(lab)).ino
    known = await lab.files.open_known(ino, os.O_RDONLY)
    assert known is not None and os.pread(known.fd, 100, 0) == b"hello"
    await known.close()
    assert await hub.files.open_known(ino, os.O_RDONLY) is None
    assert await read(hub) == b"hello"
    assert await lab.files.open_known(ino, os.O_RDONLY) is None, "its home has moved"


async def test_writer_that_opened_a_file_by_its_number_is_noted_in_the_log(
    network: Network,
) -> None:
    hub, lab = await network.start(HUB, LAB)
    await write(lab, b"hello")
    known = await lab.files.open_known((await inode(lab)).ino, os.O_WRONLY)
    assert known is not None and (await inode(hub)).writing
    os.pwrite(known.fd, b"HELLO!", 0)
    assert (await hub.files.stat(PATH)).size == 6
    await known.close()
    assert await read(hub) == b"HELLO!"
