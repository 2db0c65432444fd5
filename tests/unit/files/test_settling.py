"""Files of an `async` directory: what others see, what is safe when, and what a crash leaves."""

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from oneos.errors import FileError, OneOSError
from oneos.files import settling
from oneos.files.opened import LocalFile
from oneos.files.remote import RemoteFile
from oneos.files.storage_rules import StorageRules
from oneos.ids import HostName
from oneos.limits import SMALL_FILE_BYTES_MAX
from oneos.state import control_types as t
from tests.unit.engine.servers import eventually
from tests.unit.files.support import ROOT, Host, Network
from tests.unit.files.test_homes import inode, put, read, write
from tests.unit.kernel.support import HUB, LAB

TMP = b"/tmp/file"
STRICT = b"/d/file"
ATTIC = HostName("attic")


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is committed by itself."""
    monkeypatch.setattr(settling, "ASYNC_COMMIT_S", 1000.0)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it holds."""
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110  Another host is asked.
            await asyncio.sleep(0.02)


async def size(host: Host, path: bytes = TMP) -> int:
    return (await host.files.stat(path)).size


async def lose(network: Network, host: Host) -> None:
    control = network.hosts[0].control
    await control.submit(t.DeclareDead(host.host, host.incarnation, "silent", 1))


async def gone(hub: Host, path: bytes = TMP) -> None:
    """Wait until the index knows that the file's home is lost."""

    async def homeless() -> bool:
        return not (await inode(hub, path)).home

    await until(homeless)


async def test_a_closed_file_is_seen_everywhere_before_it_is_committed(
    network: Network, never: None
) -> None:
    hub, lab = await network.start(HUB, LAB)
    await write(lab, b"hello", path=TMP)
    assert (await inode(hub, TMP)).version == 0
    assert await size(hub) == await size(lab) == 5
    assert await read(hub, TMP) == await read(lab, TMP) == b"hello"
    # It was not taken from its home for that, and writers elsewhere come to the same file.
    writer = await put(hub, b"HELLO!", os.O_WRONLY, TMP)
    assert isinstance(writer, RemoteFile)
    await writer.close()
    assert await read(lab, TMP) == b"HELLO!"
    assert await size(hub) == 6
    assert (await inode(hub, TMP)).version == 0


async def test_it_is_committed_by_itself_and_then_at_rest(network: Network) -> None:
    hub, lab = await network.start(HUB, LAB)
    paths = [b"/tmp/%d" % number for number in range(20)]
    for path in paths:
        await write(lab, path, path=path)

    async def settled() -> bool:
        found = [await inode(hub, path) for path in paths]
        return all(one.version and not one.writing for one in found)

    await until(settled)
    await eventually(lambda: lab.homes.open_count() == 0)
    for path in paths:
        now = await inode(hub, path)
        assert set(now.copies) == {HUB, LAB}
        assert hub.chunks.missing(now.chunks) == []
    # Now it moves to whoever wants it.
    assert isinstance(await hub.files.open(paths[0], os.O_RDONLY, 0, ROOT), LocalFile)


async def test_fsync_is_a_commit_there_too(network: Network, never: None) -> None:
    hub, lab = await network.start(HUB, LAB)
    writer = await put(lab, b"safe", path=TMP)
    await writer.sync()
    now = await inode(hub, TMP)
    assert (now.version, now.size, set(now.copies)) == (1, 4, {HUB, LAB})
    await writer.close()
    await lose(network, lab)
    await gone(hub)
    assert await read(hub, TMP) == b"safe"


async def test_small_files_share_a_record_and_what_is_no_such_file_is_left_out(
    network: Network, never: None
) -> None:
    hub, lab = await network.start(HUB, LAB)
    contents = {b"/tmp/%d" % number: b"x" * number for number in range(30)}
    others = {b"/tmp/long": b"y" * (SMALL_FILE_BYTES_MAX + 1), b"/tmp/zeros": bytes(5000)}
    for path, data in {**contents, **others}.items():
        await write(lab, data, path=path)
    busy = await put(lab, b"busy", path=b"/tmp/busy")
    inos = [(await inode(hub, path)).ino for path in [*contents, *others, b"/tmp/busy"]]
    # What was answered early is in the log.
    await hub.names.mkdir(b"/d/e", 0o755, ROOT)
    before = network.index.names.applied_seq
    await lab.homes._settle_together(inos)
    assert network.index.names.applied_seq == before + 1
    assert len(lab.homes._settling) == len(others)
    for path, data in contents.items():
        now = await inode(hub, path)
        assert (now.version, now.size, now.writing) == (1, len(data), False)
        assert set(now.copies) == {HUB, LAB}
        assert hub.chunks.missing(now.chunks) == lab.chunks.missing(now.chunks) == []
        assert await read(hub, path) == data
    await busy.close()
    await lab.homes._settling._commit_all(inos)
    for path, data in {**others, b"/tmp/busy": b"busy"}.items():
        now = await inode(hub, path)
        assert (now.version, now.size, now.writing) == (1, len(data), False)


@pytest.mark.parametrize("committed", [False, True])
async def test_with_its_home_a_file_falls_back_to_its_last_commit(
    network: Network, never: None, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    monkeypatch.setattr("oneos.runtime.peers.PEER_NEWS_S", 0.05)
    hub, lab = await network.start(HUB, LAB)
    if committed:
        writer = await put(lab, b"before", path=TMP)
        await writer.sync()
        await writer.close()
    await write(lab, b"after!!", path=TMP)
    assert await size(hub) == 7
    await lose(network, lab)
    await gone(hub)
    kept = b"before" if committed else b""
    assert await size(hub) == len(kept)
    assert await read(hub, TMP) == kept
    # What the lost home still has does not come back.
    with pytest.raises(OneOSError):
        await lab.homes._settle((await inode(hub, TMP)).ino)
    assert await read(hub, TMP) == kept


async def test_a_rename_commits_first(network: Network, never: None) -> None:
    hub, lab = await network.start(HUB, LAB)
    await write(hub, b"old", path=STRICT)
    await write(lab, b"new", path=TMP)
    await hub.files.rename(TMP, STRICT)
    await lose(network, lab)
    await gone(hub, STRICT)
    assert await read(hub, STRICT) == b"new"


async def test_a_rename_commits_first_what_was_closed_a_moment_ago(
    network: Network, never: None
) -> None:
    """Its program does not wait until its home knows that it was closed."""
    hub, lab = await network.start(HUB, LAB)
    await write(hub, b"old", path=STRICT)
    writer = await put(lab, b"new", path=TMP)
    await hub.files.rename(TMP, STRICT)
    await lose(network, lab)
    await gone(hub, STRICT)
    assert await read(hub, STRICT) == b"new"
    with pytest.raises(OneOSError):
        await writer.close()


async def test_a_rename_does_not_replace_a_file_by_one_that_was_lost(
    network: Network, never: None
) -> None:
    hub, lab = await network.start(HUB, LAB)
    await write(hub, b"old", path=STRICT)
    await write(lab, b"new", path=TMP)
    await lose(network, lab)
    await gone(hub)
    with pytest.raises(FileError) as caught:
        await hub.files.rename(TMP, STRICT)
    assert caught.value.errno == errno.EIO
    assert await read(hub, STRICT) == b"old"


async def test_a_writer_that_goes_on_after_the_rename_commits_at_its_close(
    network: Network, never: None
) -> None:
    hub, lab = await network.start(HUB, LAB)
    writer = await put(lab, b"one", path=TMP)
    await lab.files.rename(TMP, STRICT)
    os.write(writer.fd, b" two")
    await writer.close()
    assert (await inode(hub, STRICT)).size == 7


async def test_a_removed_file_is_dropped_and_never_committed(network: Network, never: None) -> None:
    hub, lab = await network.start(HUB, LAB)
    for number in range(20):
        path = b"/tmp/%d" % number
        await write(lab, b"x%d" % number, path=path)
        await (hub if number % 2 else lab).files.unlink(path)
    await eventually(lambda: not lab.backing.inos())
    assert lab.homes.open_count() == 0 and not network.index.names.names.orphans()
    assert lab.chunks.usage().chunks == 0


async def test_when_too_many_wait_a_close_waits_for_its_commit(
    network: Network, never: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "ASYNC_CLOSED_MAX", 2)
    hub, lab = await network.start(HUB, LAB)
    for number in range(4):
        await write(lab, b"x", path=b"/tmp/%d" % number)
    versions = [(await inode(hub, b"/tmp/%d" % number)).version for number in range(4)]
    assert versions == [0, 0, 1, 1]


async def test_a_commit_that_fails_is_tried_again(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "ASYNC_RETRY_S", 0.05)
    hub, lab = await network.start(HUB, LAB)
    real, full = lab.chunks.put_named, [3]

    def put_named(*args: object, **kwargs: object) -> object:
        if full[0]:
            full[0] -= 1
            raise FileError(errno.ENOSPC)
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(lab.chunks, "put_named", put_named)
    await write(lab, b"in the end", path=TMP)
    await eventually(lambda: full == [0] and lab.homes.open_count() == 0)
    assert (await inode(hub, TMP)).size == 10


async def test_a_close_that_had_to_commit_and_failed_is_committed_later(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "ASYNC_CLOSED_MAX", 0)
    hub, lab = await network.start(HUB, LAB)
    real, full = lab.chunks.put_named, [1]

    def put_named(*args: object, **kwargs: object) -> object:
        if full[0]:
            full[0] -= 1
            raise FileError(errno.ENOSPC)
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(lab.chunks, "put_named", put_named)
    with pytest.raises(FileError):
        await write(lab, b"in the end", path=TMP)
    await eventually(lambda: lab.homes.open_count() == 0)
    assert (await inode(hub, TMP)).size == 10


async def test_what_waits_is_committed_before_a_host_stops(network: Network, never: None) -> None:
    hub, lab = await network.start(HUB, LAB)
    for number in range(5):
        await write(lab, b"x", path=b"/tmp/%d" % number)
    await lab.homes.settle()
    for number in range(5):
        now = await inode(hub, b"/tmp/%d" % number)
        assert now.version == 1 and not now.writing


# --- the file of rules ----------------------------------------------------------------------------
async def put_rules(host: Host, text: str) -> None:
    await write(host, text.encode(), path=b"/etc/oneos/storage.toml")


async def test_rules_are_taken_from_the_tree_and_a_broken_file_changes_nothing(
    network: Network, tmp_path: Path
) -> None:
    (hub,) = await network.start(HUB)
    rules = StorageRules(str(tmp_path / "kept"))
    await rules.look(hub.files)
    assert rules.of(TMP).later and not rules.of(STRICT).later and not rules.problem
    await put_rules(hub, '[[directory]]\npath = "/d"\ndurability = "async"\ncopies = 1\n')
    await rules.look(hub.files)
    assert rules.of(STRICT).later and rules.of(STRICT).copies == 1

    await put_rules(hub, '[[directory]]\npath = "/d"\ndurability = "sometimes"\n')
    await rules.look(hub.files)
    assert rules.of(STRICT).later
    assert "line 3" in rules.problem and "last good one stays in force" in rules.problem

    # Also over a restart.
    later = StorageRules(str(tmp_path / "kept"))
    later.start(hub.files)
    assert later.of(STRICT).later
    await eventually(lambda: later.problem)
    await later.stop()
    assert later.of(STRICT).later

    await hub.files.unlink(b"/etc/oneos/storage.toml")
    await rules.look(hub.files)
    assert not rules.of(STRICT).later and not rules.problem
    assert not (tmp_path / "kept").exists()


async def test_a_directory_says_how_many_hosts_hold_its_files(
    network: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub, lab, _ = await network.start(HUB, LAB, ATTIC)
    rules = StorageRules(str(tmp_path / "kept"))
    monkeypatch.setattr(lab.homes, "_durability", rules.of)
    await write(lab, b"two", path=b"/d/two")
    await put_rules(hub, '[[directory]]\npath = "/d"\ncopies = 3\n')
    await rules.look(lab.files)
    await write(lab, b"three", path=b"/d/three")
    await put_rules(hub, '[[directory]]\npath = "/d"\ncopies = 1\n')
    await rules.look(lab.files)
    await write(lab, b"one", path=b"/d/one")
    found = [await inode(hub, b"/d/" + name) for name in (b"two", b"three", b"one")]
    assert [len(one.copies) for one in found] == [2, 3, 1]
    assert [one.wanted for one in found] == [0, 3, 1]
