"""Locks of files at home here: hosts meet in one table, and who is gone holds nothing."""

import asyncio
import errno
import fcntl
import os
from typing import Any

import pytest

from oneos.files import home_locks
from oneos.files.handles import Handle
from oneos.files.opened import LocalFile
from oneos.files.remote import RemoteFile
from oneos.storage.file_locks import LAST, READ, UNLOCK, WRITE, Range
from tests.support.waiting import eventually
from tests.unit.files.support import ROOT, Host, Network
from tests.unit.kernel.support import HUB, LAB

PATH = b"/d/file"
ALL = Range("posix", WRITE)
NONE = Range("posix", UNLOCK)


async def opened(host: Host) -> Any:
    handle: Handle = await host.files.open(PATH, os.O_RDWR | os.O_CREAT, 0o644, ROOT)
    return handle


async def refused(file: Any, owner: str, what: Range, number: int = 0) -> int:
    """The errno with which a lock is refused."""
    with pytest.raises(Exception) as caught:
        await asyncio.wait_for(file.lock(owner, 7, what, number), 60)
    found: int = caught.value.errno  # type: ignore[attr-defined]
    return found


async def waiting(host: Host, file: Any, owner: str, what: Range, number: int) -> Any:
    """A task that waits for a lock, as seen at the home."""
    before = host.homes.locks._waiting
    task = asyncio.create_task(file.lock(owner, 7, what, number))
    await eventually(lambda: host.homes.locks._waiting != before or task.done())
    return task


async def two(network: Network) -> tuple[Host, Host, LocalFile, RemoteFile]:
    hub, lab = await network.start(HUB, LAB)
    here, there = await opened(hub), await opened(lab)
    assert isinstance(here, LocalFile) and isinstance(there, RemoteFile)
    return hub, lab, here, there


async def test_hosts_and_programs_with_a_descriptor_meet(network: Network) -> None:
    hub, _, here, there = await two(network)
    await there.lock("p2", 2, Range("posix", WRITE, 0, 9), 0)
    await here.lock("p1", 1, Range("posix", READ, 10, 19), 0)
    with open(here.path, "r+b") as own, pytest.raises(BlockingIOError):
        fcntl.lockf(own, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, 9)
    assert await refused(here, "p1", Range("posix", READ, 5, 30)) == errno.EAGAIN
    assert await refused(there, "p2", Range("posix", WRITE, 0, 10)) == errno.EAGAIN
    found = await there.locked("p2", Range("posix", WRITE, 0, LAST))
    assert found is not None
    assert (found.type, found.first, found.last, found.pid) == (READ, 10, 19, 1)
    found = await here.locked("p1", Range("posix", READ))
    assert found is not None and (found.first, found.last, found.pid) == (0, 9, 2)
    # The same process by another opening is no other owner; its open file is.
    again = await opened(hub)
    await again.lock("p1", 1, Range("posix", WRITE, 10, 19), 0)
    assert await refused(again, "o1", Range("open", WRITE, 10, 10)) == errno.EAGAIN
    for file in (here, there, again):
        await file.close()
    assert len(hub.homes.locks) == 0


async def test_a_wait_ends_with_the_lock_or_when_it_is_called_back(network: Network) -> None:
    hub, _, here, there = await two(network)
    await here.lock("p1", 1, ALL, 0)
    first = await waiting(hub, there, "p2", ALL, 11)
    second = await waiting(hub, there, "p3", ALL, 12)
    await there.call_back(11)
    with pytest.raises(Exception) as caught:
        await asyncio.wait_for(first, 60)
    assert caught.value.errno == errno.EINTR  # type: ignore[attr-defined]
    assert not second.done()
    await here.unlock("p1")
    await asyncio.wait_for(second, 60)
    assert await refused(here, "p1", ALL) == errno.EAGAIN
    await there.close()
    await here.lock("p1", 1, ALL, 0)
    await here.close()
    assert hub.homes.locks._waiting == len(hub.homes.locks) == 0


async def test_a_host_that_is_gone_holds_nothing_and_waits_for_nothing(network: Network) -> None:
    hub, lab, here, there = await two(network)
    await there.lock("p2", 2, Range("posix", WRITE, 0, 9), 0)
    await here.lock("p1", 1, Range("posix", WRITE, 10, 19), 0)
    theirs = await waiting(hub, there, "p2", Range("posix", WRITE, 10, 19), 5)
    ours = await waiting(hub, here, "p3", Range("posix", READ, 0, 0), 6)
    assert not theirs.done()
    await hub.calls.drop(lab.host)
    await asyncio.wait_for(ours, 60)
    # It was given up while it lived: what it had is lost, and it must not think otherwise.
    assert await refused(there, "p2", NONE) == errno.EIO
    with pytest.raises(Exception) as caught:
        await asyncio.wait_for(theirs, 60)
    assert caught.value.errno in (errno.EBADF, errno.EIO)  # type: ignore[attr-defined]
    assert len(hub.homes.locks) == 2
    await here.close()
    assert hub.homes.locks._waiting == len(hub.homes.locks) == 0


async def test_who_would_wait_for_itself_is_told(network: Network) -> None:
    hub, _, here, there = await two(network)
    left, right = Range("posix", WRITE, 0, 0), Range("posix", WRITE, 1, 1)
    await here.lock("p1", 1, left, 0)
    await there.lock("p2", 2, right, 0)
    wait = await waiting(hub, here, "p1", right, 1)
    assert await refused(there, "p2", left, 2) == errno.EDEADLK
    await there.unlock("p2")
    await asyncio.wait_for(wait, 60)
    await here.close()
    await there.close()


async def test_a_closing_owner_is_waited_for_a_moment(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, here, there = await two(network)
    monkeypatch.setattr(home_locks, "LOCK_CLOSING_S", 60.0)
    what = Range("flock", WRITE)
    await here.lock("o1", 1, what, 0)
    assert await refused(there, "o2", what) == errno.EAGAIN
    await here.closing("o1")
    task = asyncio.create_task(there.lock("o2", 2, what, 0))
    done, _ = await asyncio.wait([task], timeout=0.05)
    assert not done
    await here.unlock("o1")
    await asyncio.wait_for(task, 60)
    # One that is not the last close of its open file only costs the others that time.
    monkeypatch.setattr(home_locks, "LOCK_CLOSING_S", 0.01)
    await there.closing("o2")
    assert await refused(here, "o1", what) == errno.EAGAIN
    await here.close()
    await there.close()


async def test_owners_ranges_and_waits_are_bounded(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, _, here, there = await two(network)
    monkeypatch.setattr(home_locks, "LOCK_OWNERS_MAX", 2)
    monkeypatch.setattr(home_locks, "LOCK_WAITS_MAX", 1)
    monkeypatch.setattr(home_locks, "LOCK_RANGES_MAX", 20)
    await here.lock("p1", 1, Range("posix", WRITE, 0, 0), 0)
    await there.lock("p2", 2, Range("posix", WRITE, 2, 2), 0)
    assert await refused(here, "p3", Range("posix", WRITE, 50, 60)) == errno.ENOLCK
    wait = await waiting(hub, there, "p2", Range("posix", WRITE, 0, 0), 1)
    assert await refused(here, "p1", Range("posix", READ, 2, 2), 2) == errno.ENOLCK
    refusals = 0
    for number in range(40):
        try:
            await here.lock("p1", 1, Range("posix", WRITE, 100 + 2 * number, 100 + 2 * number), 0)
        except OSError as error:
            assert error.errno == errno.ENOLCK
        except Exception as error:
            assert error.errno == errno.ENOLCK  # type: ignore[attr-defined]
            refusals += 1
    assert refusals > 20
    await here.close()
    await asyncio.wait_for(wait, 60)
    await there.close()
