"""What no file has any more leaves all disks; what one has, or comes to have, stays."""

import asyncio
import os

import pytest

from oneos.kernel import messages as m
from oneos.kernel.collector import Collector
from tests.unit.files.support import ROOT, Host, Network
from tests.unit.files.test_homes import inode, put, read, write
from tests.unit.kernel.support import HUB, LAB


async def started(network: Network) -> tuple[Host, Host, Collector]:
    hub, lab = await network.start(HUB, LAB)
    return hub, lab, Collector(hub.control, network.index, hub.links, hub.names.ask)


def held(*hosts: Host) -> list[int]:
    return [host.chunks.usage().chunks for host in hosts]


async def test_what_was_written_over_leaves_the_disks_of_all_hosts(network: Network) -> None:
    hub, lab, collector = await started(network)
    await write(lab, b"old")
    await write(lab, b"the new one")
    assert held(hub, lab) == [2, 2]
    done = await collector.collect()
    assert sorted(done, key=lambda one: one.host) == [
        m.Collected(HUB, 1, 3),
        m.Collected(LAB, 1, 3),
    ]
    assert held(hub, lab) == [1, 1]
    assert await read(hub) == b"the new one"
    assert await collector.collect() == [m.Collected(HUB), m.Collected(LAB)]


async def test_a_file_that_lost_its_name_keeps_its_content_while_it_is_open(
    network: Network,
) -> None:
    hub, lab, collector = await started(network)
    await write(lab, b"still read")
    handle = await lab.files.open(b"/d/file", os.O_RDONLY, 0, ROOT)
    await lab.files.unlink(b"/d/file")
    await collector.collect()
    assert held(lab) == [1]
    assert os.pread(handle.fd, 100, 0) == b"still read"
    await handle.close()
    while held(hub, lab) != [0, 0]:
        await collector.collect()


async def test_a_commit_in_the_midst_of_a_collection_keeps_its_chunks(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, lab, collector = await started(network)
    await write(hub, b"again", path=b"/d/before")
    await hub.files.unlink(b"/d/before")
    writer = await put(lab, b"again")
    begun, go_on = asyncio.Event(), asyncio.Event()
    used = Collector._used

    async def slow(self: Collector) -> object:
        found = await used(self)
        begun.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(Collector, "_used", slow)
    collecting = asyncio.create_task(collector.collect())
    await begun.wait()
    # No file had it when the collector looked.
    await writer.close()
    go_on.set()
    await collecting
    now = await inode(hub)
    assert set(now.copies) == {HUB, LAB}
    assert hub.chunks.missing(now.chunks) == lab.chunks.missing(now.chunks) == []


async def test_a_commit_that_had_put_its_chunks_before_a_collection_puts_them_again(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, lab, collector = await started(network)
    writer = await put(lab, b"content")
    ask, asked = lab.names.ask, []

    async def late(make: object) -> object:
        if not asked:
            # The chunks are on the disks, and the commit is on its way.
            asked.append(await collector.collect())
            assert held(hub, lab) == [0, 0]
        return await ask(make)  # type: ignore[arg-type]

    monkeypatch.setattr(lab.homes, "_change", late)
    await writer.close()
    now = await inode(hub)
    assert now.size == 7
    assert hub.chunks.missing(now.chunks) == lab.chunks.missing(now.chunks) == []


async def test_a_host_that_cannot_be_asked_holds_up_nobody(network: Network) -> None:
    hub, lab, collector = await started(network)
    await write(hub, b"old")
    await write(hub, b"new")
    await lab.server.close()
    await lab.links.close()
    done = {one.host: one for one in await collector.collect()}
    assert done[HUB].chunks == 1
    assert done[LAB].error
