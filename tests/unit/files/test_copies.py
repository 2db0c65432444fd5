"""Chunks between hosts: a wrong byte on one is met by asking the next, and never handed on."""

import errno
import os

import pytest

from oneos.errors import FileError
from oneos.ids import HostName
from tests.unit.files.support import ROOT, Host, Network
from tests.unit.files.test_homes import inode, write
from tests.unit.kernel.support import HUB, LAB

ATTIC = HostName("attic")


async def committed(network: Network) -> tuple[list[Host], bytes]:
    """A file whose chunk two of three hosts hold."""
    hosts = await network.start(HUB, LAB, ATTIC)
    await write(hosts[0], b"content")
    now = await inode(hosts[0])
    assert len(now.copies) == 2
    return hosts, now.chunks[0]


def damage(host: Host, digest: bytes) -> None:
    with open(host.chunks.path(digest), "r+b") as file:
        file.write(b"X")


async def test_damaged_copy_here_is_replaced_by_another_hosts(network: Network) -> None:
    (hub, lab, attic), digest = await committed(network)
    damage(hub, digest)
    holders = [HUB, LAB, ATTIC]
    assert await hub.homes.chunk(digest, holders) == b"content"
    assert hub.chunks.get(digest) == b"content"
    assert lab.chunks.missing([digest]) == [] or attic.chunks.missing([digest]) == []


async def test_wrong_content_from_one_host_is_met_by_asking_the_next(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts, digest = await committed(network)
    hub = hosts[0]
    other = next(h for h in hosts[1:] if not h.chunks.missing([digest]))
    asker = next(h for h in hosts[1:] if h is not other)
    monkeypatch.setattr(hub.chunks, "get", lambda _: b"something else")
    assert await asker.copies.fetch(digest, [HUB, other.host]) == b"content"
    with pytest.raises(FileError) as raised:
        await asker.copies.fetch(digest, [HUB])
    assert raised.value.errno == errno.EIO


async def test_file_is_read_as_long_as_one_copy_is_whole(network: Network) -> None:
    hosts, digest = await committed(network)
    hub = hosts[0]
    await hub.homes.give_up((await inode(hub)).ino, (await inode(hub)).home_epoch)
    other = next(h for h in hosts[1:] if not h.chunks.missing([digest]))
    asker = next(h for h in hosts[1:] if h is not other)
    damage(hub, digest)
    handle = await asker.files.open(b"/d/file", os.O_RDONLY, 0, ROOT)
    assert os.pread(handle.fd, 100, 0) == b"content"
    await handle.close()
    damage(other, digest)
    with pytest.raises(FileError):
        await asker.homes.chunk(digest, [HUB, other.host])
