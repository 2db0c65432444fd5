"""What programs have started: told from the kernel's /proc, and reached by signals.

The host's own /proc stands for that of a name space: what is read there is the same.
"""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from oneos.errors import FileError
from oneos.runtime.descendants import Descendants
from oneos.runtime.namespace import NameSpace
from tests.support.waiting import WAIT_S
from tests.unit.engine.conftest import bench, certificates  # noqa: F401  Fixtures.
from tests.unit.files.conftest import identities, network  # noqa: F401
from tests.unit.files.support import Network
from tests.unit.kernel.conftest import world  # noqa: F401
from tests.unit.kernel.support import HUB

SLEEP = [b"sleep", b"60"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="name spaces take Linux")


async def nobody(pid: int, number: int) -> None:
    raise FileError(errno.ESRCH)


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    """A program that has started two others, in a group of its own; it says their numbers."""
    process = subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; sleep 60 & echo $!; wait"],
        stdout=subprocess.PIPE,
        bufsize=0,
        process_group=0,
    )
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture
async def descendants(network: Network) -> AsyncIterator[Descendants]:  # noqa: F811
    await network.start(HUB)
    hub = network.hosts[0]
    proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    yield Descendants(HUB, hub.control, hub.links, lambda: proc)
    os.close(proc)


def children(process: subprocess.Popen[bytes]) -> list[int]:
    assert process.stdout is not None
    return [int(process.stdout.readline()) for _ in range(2)]


async def gone(descendants: Descendants, pid: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while any(p.state == "running" for p in descendants.here(pid)):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_process_shows_with_its_parent_command_and_start(
    descendants: Descendants, parent: subprocess.Popen[bytes]
) -> None:
    first, _ = children(parent)
    async with asyncio.timeout(WAIT_S):
        while (found := descendants.here(first))[0].argv != SLEEP:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    (process,) = found
    assert (process.pid, process.ppid, process.host) == (first, parent.pid, HUB)
    assert -1 < (time.time_ns() - process.started_ns) / 1e9 < 60
    assert descendants.here(2**22) == []


async def test_signal_reaches_one_process_or_the_whole_group(
    descendants: Descendants, parent: subprocess.Popen[bytes]
) -> None:
    first, second = children(parent)
    descendants.signal(first, signal.SIGTERM, False)
    await gone(descendants, first)
    descendants.signal(second, 0, False)
    with pytest.raises(FileError) as caught:
        descendants.signal(second, signal.SIGTERM, True)
    assert caught.value.errno == errno.ESRCH  # It leads no group.
    descendants.signal(parent.pid, signal.SIGTERM, True)
    await gone(descendants, second)
    assert await asyncio.to_thread(parent.wait, 10) == -signal.SIGTERM


async def test_number_that_nobody_has_is_not_there(descendants: Descendants) -> None:
    with pytest.raises(FileError) as caught:
        descendants.signal(2**22, signal.SIGTERM, False)
    assert caught.value.errno == errno.ESRCH
    # No host of this network has been given such numbers.
    assert await descendants.find(1 << 21) is None
    assert await descendants.all() == []


async def test_without_a_name_space_there_are_none(network: Network) -> None:  # noqa: F811
    await network.start(HUB)
    hub = network.hosts[0]
    none = NameSpace(HUB, "", "", list, "auto", str, lambda: -1, nobody)
    assert Descendants(HUB, hub.control, hub.links, none.proc).here() == []
