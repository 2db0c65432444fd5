"""What a host lacks of the files it should hold is found and made good, or said to be lost."""

import asyncio
import errno
import os
import random
from collections.abc import Iterable

import pytest

from oneos.actor.actor import Address
from oneos.errors import FileError, UserError
from oneos.files.durability import Rule, Rules
from oneos.ids import HostName
from oneos.kernel import checks as checks_module
from oneos.kernel import messages as m
from oneos.kernel.audit import Auditor
from oneos.kernel.check import Check
from oneos.kernel.checks import Checks
from oneos.kernel.collector import Collector
from oneos.kernel.storage import Storage
from oneos.state import names_commands as n
from oneos.state.names_types import Inode
from tests.unit.engine.servers import eventually
from tests.unit.files.support import ROOT, Host, Network
from tests.unit.files.test_homes import ATTIC, inode, read, write
from tests.unit.files.test_scrubber import flip
from tests.unit.kernel.support import HUB, LAB


class Hosts:
    """Three hosts, and at the first what the Storage agent is made of."""

    def __init__(self, network: Network, hosts: list[Host]) -> None:
        self.network = network
        self.hosts = hosts
        hub = hosts[0]
        self.auditor = Auditor(
            hub.control, network.index, hub.links, hub.names.ask, hub.names.numbered, 2
        )
        self.collector = Collector(hub.control, network.index, hub.links, hub.names.ask)
        self.storage = Storage(
            Address(HUB, "storage", 1),
            hub.control,
            network.index,
            hub.links,
            hub.names.ask,
            hub.names.numbered,
            2,
        )

    async def audit(self) -> None:
        assert await self.auditor.audit([host.host for host in self.hosts]) == set()

    async def check(
        self, path: bytes = b"/", repair: bool = False, quick: bool = False
    ) -> m.CheckState:
        check = self.make(m.CheckBegin("name", path, repair, quick))
        await check.run()
        return check.state(0)

    def make(self, asked: m.CheckBegin) -> Check:
        return Check(
            asked,
            self.network.index,
            self.hosts[0].links,
            self.auditor,
            self.collector,
            self.storage.repair,
        )

    def holders(self, now: Inode) -> list[Host]:
        return [host for host in self.hosts if host.host in now.copies]

    def lacking(self, now: Inode) -> int:
        """How many chunks its holders lack."""
        return sum(len(host.chunks.missing(now.chunks)) for host in self.holders(now))


async def started(network: Network) -> Hosts:
    return Hosts(network, await network.start(HUB, LAB, ATTIC))


async def at_rest(host: Host, path: bytes = b"/d/file") -> Inode:
    """The file, in use nowhere."""
    now = await inode(host, path)
    homes = [one for one in (host,) if one.host == now.home]
    for one in homes:
        await one.homes.give_up(now.ino, now.home_epoch)
    return await inode(host, path)


def kinds(state: m.CheckState, among: Iterable[str] = ("left", "repaired")) -> list[str]:
    return sorted(f"{one.kind} {one.state}" for one in state.findings if one.state in among)


async def test_bits_flipped_at_rest_on_three_hosts_are_all_found_and_repaired(
    network: Network,
) -> None:
    hosts = await started(network)
    rng = random.Random(4)
    contents = {}
    for number in range(12):
        path = b"/d/%d" % number
        contents[path] = rng.randbytes(rng.randrange(1, 900))
        writer = hosts.hosts[number % 3]
        await write(writer, contents[path], path=path)
        await at_rest(writer, path)
    flipped = 0
    for number, path in enumerate(contents):
        now = await inode(hosts.hosts[0], path)
        # On one of the two that hold it, in turn.
        host = hosts.holders(now)[number % 2]
        flip(host.chunks, now.chunks[0], rng)
        flipped += 1
    state = await hosts.check(repair=True)
    damaged = [one for one in state.findings if one.kind == "damaged"]
    assert len(damaged) == flipped
    assert {one.path for one in damaged} == set(contents)
    assert {one.host for one in damaged} == {HUB, LAB, ATTIC}
    assert state.left == 0
    assert sum(host.chunks.damage.found for host in hosts.hosts) == flipped
    assert sum(host.chunks.damage.repaired for host in hosts.hosts) == flipped
    assert kinds(await hosts.check()) == []
    for path, content in contents.items():
        assert await read(hosts.hosts[1], path) == content


async def test_what_was_removed_from_a_disk_is_made_up_again(network: Network) -> None:
    hosts = await started(network)
    await write(hosts.hosts[0], b"content")
    now = await at_rest(hosts.hosts[0])
    gone = hosts.holders(now)[1]
    os.unlink(gone.chunks.path(now.chunks[0]))
    assert kinds(await hosts.check(quick=True)) == ["lacking left"]
    await hosts.audit()
    assert gone.chunks.get(now.chunks[0]) == b"content"
    assert kinds(await hosts.check()) == []


async def test_file_damaged_everywhere_is_named_and_read_as_an_error(network: Network) -> None:
    hosts = await started(network)
    hub = hosts.hosts[0]
    await write(hub, b"content")
    now = await at_rest(hub)
    for host in hosts.holders(now):
        flip(host.chunks, now.chunks[0], random.Random(4))
    state = await hosts.check(b"/d", repair=True)
    assert kinds(state) == ["damaged left", "damaged left", "lost left"]
    assert {one.path for one in state.findings} == {b"/d/file"}
    assert hosts.auditor.lost_count() == 1
    for host in hosts.hosts:
        with pytest.raises(FileError) as raised:
            await host.files.open(b"/d/file", os.O_RDONLY, 0, ROOT)
        assert raised.value.errno == errno.EIO
    # Nobody counts what is gone for good reason.
    await hub.files.unlink(b"/d/file")
    assert hosts.auditor.lost_count() == 0
    assert kinds(await hosts.check(quick=True)) == []


async def test_file_that_is_in_use_is_made_good_from_there(network: Network) -> None:
    hosts = await started(network)
    hub = hosts.hosts[0]
    await write(hub, b"content")
    now = await inode(hub)
    assert now.home == HUB
    for host in hosts.holders(now):
        flip(host.chunks, now.chunks[0], random.Random(4))
    state = await hosts.check(repair=True)
    assert state.left == 0 and state.repaired
    assert hosts.lacking(now) == 0


async def test_copy_that_only_another_host_has_is_used(network: Network) -> None:
    hosts = await started(network)
    await write(hosts.hosts[0], b"content")
    now = await at_rest(hosts.hosts[0])
    other = next(host for host in hosts.hosts if host.host not in now.copies)
    other.chunks.put(b"content")
    for host in hosts.holders(now):
        os.unlink(host.chunks.path(now.chunks[0]))
    await hosts.audit()
    assert hosts.lacking(now) == 0


async def test_holder_without_room_is_none_any_more_and_another_takes_its_place(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = await started(network)
    await write(hosts.hosts[0], b"content")
    now = await at_rest(hosts.hosts[0])
    full = hosts.holders(now)[1]
    os.unlink(full.chunks.path(now.chunks[0]))

    def no_room(data: bytes) -> bytes:
        raise FileError(errno.ENOSPC)

    monkeypatch.setattr(full.chunks, "put", no_room)
    state = await hosts.check(repair=True)
    assert kinds(state) == ["few repaired", "lacking repaired"]
    now = await inode(hosts.hosts[0])
    assert len(now.copies) == 2 and full.host not in now.copies
    assert hosts.lacking(now) == 0


async def test_check_asks_of_each_file_the_copies_that_its_directory_wants(
    network: Network,
) -> None:
    hosts = await started(network)
    hub = hosts.hosts[0]
    hub.rules = Rules([Rule(b"/d", copies=1)])
    await write(hub, b"of one", path=b"/d/one")
    hub.rules = Rules([Rule(b"/d", copies=3)])
    await write(hub, b"of three", path=b"/d/three")
    assert len((await at_rest(hub, b"/d/one")).copies) == 1
    now = await at_rest(hub, b"/d/three")
    assert len(now.copies) == 3
    assert kinds(await hosts.check()) == []
    # As when the third was away when it was written.
    two = tuple(name for name in now.copies if name != ATTIC)
    await hub.names.ask(
        lambda rid, ns: n.Copies(rid=rid, now_ns=ns, ino=now.ino, version=now.version, copies=two)
    )
    state = await hosts.check()
    told = [(one.path, one.kind, one.text) for one in state.findings if one.state == "left"]
    assert told == [(b"/d/three", "few", "2 of 3 copies")]
    assert kinds(await hosts.check(repair=True)) == ["few repaired"]
    assert ATTIC in (await inode(hub, b"/d/three")).copies
    assert kinds(await hosts.check()) == []


async def test_what_no_file_has_and_what_lies_about_is_told_and_removed(network: Network) -> None:
    hosts = await started(network)
    hub = hosts.hosts[0]
    await write(hub, b"old")
    await write(hub, b"content")
    now = await at_rest(hub)
    flip(hub.chunks, now.chunks[0], random.Random(4))
    await hosts.check(repair=True)
    hub.chunks.put(b"of no file")
    with open(os.path.join(hub.chunks.directory, "tmp", "99"), "wb") as file:
        os.utime(file.fileno(), (1, 1))
    state = await hosts.check()
    assert kinds(state, ["note"]) == ["leftover note", "unused note"]
    state = await hosts.check(repair=True)
    assert (state.left, state.repaired) == (0, 0)
    assert hub.chunks.leftovers(False).chunks == 0
    assert kinds(await hosts.check(), ["note"]) == []


async def test_check_of_a_path_reads_only_what_is_below_it(network: Network) -> None:
    hosts = await started(network)
    hub = hosts.hosts[0]
    await hub.names.mkdir(b"/d/sub", 0o755, ROOT)
    await write(hub, b"one", path=b"/d/sub/one")
    await write(hub, b"two", path=b"/d/two")
    other = await at_rest(hub, b"/d/two")
    flip(hosts.holders(other)[0].chunks, other.chunks[0], random.Random(4))
    state = await hosts.check(b"/d/sub")
    assert (state.files, state.chunks, state.findings) == (1, 2, [])
    assert hosts.lacking(other) == 0
    with pytest.raises(FileError):
        await hosts.check(b"/d/none")


async def test_host_that_cannot_be_asked_is_told(network: Network) -> None:
    hosts = await started(network)
    await write(hosts.hosts[0], b"content")
    lab = hosts.hosts[1]
    await lab.server.close()
    await lab.links.close()
    state = await hosts.check()
    assert [one.host for one in state.findings if one.kind == "unchecked"] == [LAB]
    assert await hosts.auditor.audit([HUB, LAB]) == {LAB}


async def test_one_check_goes_on_at_a_time_and_ends_when_nobody_asks(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = await started(network)
    checks = Checks(hosts.make)
    checks.receive(m.CheckBegin("one", b"/", False, True))
    # The same again: its answer was lost.
    checks.receive(m.CheckBegin("one", b"/", False, True))
    with pytest.raises(UserError) as raised:
        checks.receive(m.CheckBegin("two", b"/", False, True))
    assert raised.value.errno == errno.EBUSY
    with pytest.raises(UserError) as raised:
        checks.receive(m.CheckLook("two", 0))
    assert raised.value.errno == errno.ESRCH

    def state(name: str) -> m.CheckState:
        found = checks.receive(m.CheckLook(name, 0))
        assert found is not None
        return found

    await eventually(lambda: state("one").over, 60.0)
    assert state("one").error == ""
    checks.receive(m.CheckBegin("none", b"/none", False, True))
    await eventually(lambda: state("none").over, 60.0)
    assert state("none").error == "/none: No such file or directory"
    monkeypatch.setattr(checks_module, "CHECK_IDLE_S", 0.0)
    checks.receive(m.CheckBegin("three", b"/", False, True))
    await eventually(lambda: state("three").over, 60.0)
    assert "nobody asked" in state("three").error
    checks.stop()


async def test_repair_begins_anew_when_a_host_has_come_back(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = await started(network)
    hub, lab = hosts.hosts[:2]
    now = {}
    for number in range(5):
        path = b"/d/%d" % number
        await write(hub, b"content %d" % number, path=path)
        now[path] = await at_rest(hub, path)

    async def held_by(copies: dict[bytes, tuple[HostName, ...]]) -> None:
        for path, names in copies.items():
            ino, version = now[path].ino, now[path].version
            await hub.names.ask(
                lambda rid, ns, ino=ino, version=version, names=names: n.Copies(
                    rid=rid, now_ns=ns, ino=ino, version=version, copies=names
                )
            )

    await held_by(dict.fromkeys(now, (HUB,)))
    asked: list[int] = []

    async def repair(inode: Inode) -> None:
        asked.append(inode.ino)
        # The others need none any more: who holds them is there again.
        await held_by(dict.fromkeys(now, (HUB, LAB)))
        lab.incarnation = await network.world.arrive(lab.control)

    monkeypatch.setattr(hosts.storage, "repair", repair)
    await hosts.storage.start()
    try:
        await eventually(lambda: asked != [])
        # The loop that looks has been through all of them by the time it waits again.
        await eventually(lambda: not hosts.storage.receive(m.Health(), HUB))
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(asked) == 1
    finally:
        await hosts.storage.stop()
