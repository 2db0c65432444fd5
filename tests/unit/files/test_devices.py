"""Devices of a host, with real files, FIFOs, terminals and processes behind them."""

import asyncio
import errno
import logging
import os
import signal
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from oneos.config_devices import DeviceConfig
from oneos.errors import FileError
from oneos.files.devices import Devices, OpenDevice
from oneos.limits import DEVICES_OPEN_MAX
from tests.support.descriptors import open_ends
from tests.support.waiting import WAIT_S, eventually

Make = Callable[..., Devices]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes the devices of a host from keyword tables; all are closed at the end."""
    made: list[Devices] = []

    def build(**tables: dict[str, Any]) -> Devices:
        configs = [
            DeviceConfig(name=name.replace("__", "/"), directory=str(tmp_path), **table)
            for name, table in tables.items()
        ]
        made.append(Devices(configs, tmp_path))
        return made[-1]

    yield build
    for devices in made:
        await devices.close()
        assert devices.opened() == 0


async def read_all(opened: OpenDevice) -> bytes:
    """Read a descriptor to its end, as a program in another process would."""

    def body() -> bytes:
        data = b""
        while block := os.read(opened.fd, 65536):
            data += block
        return data

    return await asyncio.wait_for(asyncio.to_thread(body), WAIT_S)


async def read_some(opened: OpenDevice, size: int = 65536) -> bytes:
    return await asyncio.wait_for(asyncio.to_thread(os.read, opened.fd, size), WAIT_S)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def shell(script: str) -> dict[str, Any]:
    return {"kind": "command", "command": ["sh", "-c", script]}


# --- names and rights -----------------------------------------------------------------------
async def test_devices_are_listed_and_shown_as_what_they_are(make: Make, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"12345")
    devices = make(
        sensor__1=shell("echo 1"),
        log={"kind": "file", "path": "log", "mode": "rw"},
        replay={"kind": "file", "path": "log", "rate_hz": 5.0},
        gone={"kind": "file", "path": "gone"},
    )
    assert devices.names() == ["gone", "log", "replay", "sensor/1"]
    assert devices.stat("sensor/1") == (stat.S_IFCHR | 0o444, 0)
    assert devices.stat("log") == (stat.S_IFREG | 0o666, 5)
    assert devices.stat("replay") == (stat.S_IFCHR | 0o444, 0)
    assert devices.stat("gone") == (stat.S_IFREG | 0o444, 0)
    assert [(d.name, d.kind, d.mode) for d in devices.announced()][-1] == (
        "sensor/1",
        "command",
        "r",
    )


async def test_unknown_device_is_enoent(make: Make) -> None:
    devices = make()
    with pytest.raises(FileError) as raised:
        await devices.open("x", os.O_RDONLY)
    assert raised.value.errno == errno.ENOENT
    with pytest.raises(FileError):
        devices.stat("x")


@pytest.mark.parametrize(
    ("mode", "flags", "allowed"),
    [
        ("r", os.O_RDONLY, True),
        ("r", os.O_WRONLY, False),
        ("r", os.O_RDWR, False),
        ("w", os.O_RDONLY, False),
        ("w", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, True),
        ("rw", os.O_RDWR, True),
        ("rw", os.O_RDONLY, True),
    ],
)
async def test_mode_decides_who_may_open(
    make: Make, tmp_path: Path, mode: str, flags: int, allowed: bool
) -> None:
    (tmp_path / "f").write_bytes(b"x")
    devices = make(d={"kind": "file", "path": "f", "mode": mode})
    if allowed:
        await (await devices.open("d", flags)).close()
        return
    with pytest.raises(FileError) as raised:
        await devices.open("d", flags)
    assert raised.value.errno == errno.EACCES
    assert "can only be" in raised.value.hint


@pytest.mark.parametrize(
    "table",
    [
        {"kind": "file", "path": "missing"},
        {"kind": "file", "path": "missing", "rate_hz": 5.0},
        {"kind": "char", "path": "missing"},
        {"kind": "fifo", "path": "missing"},
        {"kind": "fifo", "path": "missing", "mode": "w"},
        {"kind": "command", "command": ["no-such-program"]},
        {"kind": "char", "path": "here"},
        {"kind": "fifo", "path": "here"},
        {"kind": "fifo", "path": "here", "mode": "w"},
        {"kind": "file", "path": "/dev/null"},
        {"kind": "file", "path": "."},
    ],
)
async def test_a_device_without_its_thing_is_enxio_with_a_hint(
    make: Make, tmp_path: Path, table: dict[str, Any]
) -> None:
    (tmp_path / "here").write_bytes(b"")
    devices = make(d=table)
    flags = os.O_WRONLY if table.get("mode") == "w" else os.O_RDONLY
    with pytest.raises(FileError) as raised:
        await devices.open("d", flags)
    assert raised.value.errno == errno.ENXIO
    assert raised.value.hint
    assert "/dev/d" in raised.value.message
    assert devices.opened() == 0


async def test_openings_are_bounded(make: Make, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    devices = make(d={"kind": "file", "path": "f"})
    opened = [await devices.open("d", os.O_RDONLY) for _ in range(DEVICES_OPEN_MAX)]
    with pytest.raises(FileError) as raised:
        await devices.open("d", os.O_RDONLY)
    assert raised.value.errno == errno.ENFILE
    await opened[0].close()
    await (await devices.open("d", os.O_RDONLY)).close()


# --- files and character devices ------------------------------------------------------------
async def test_a_file_is_handed_over_itself(make: Make, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"hello")
    devices = make(d={"kind": "file", "path": "f", "mode": "rw"})
    opened = await devices.open("d", os.O_RDWR)
    assert os.path.samestat(os.fstat(opened.fd), os.stat(tmp_path / "f"))
    assert os.get_blocking(opened.fd)
    fd = opened.detach()
    await opened.close()
    os.write(fd, b"J")
    os.close(fd)
    assert (tmp_path / "f").read_bytes() == b"Jello"


async def test_append_and_truncate_mean_what_they_mean(make: Make, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    devices = make(d={"kind": "file", "path": "f", "mode": "w"})
    opened = await devices.open("d", os.O_WRONLY | os.O_APPEND)
    os.write(opened.fd, b"+new")
    await opened.close()
    assert (tmp_path / "f").read_bytes() == b"old+new"
    await (await devices.open("d", os.O_WRONLY | os.O_TRUNC)).close()
    assert (tmp_path / "f").read_bytes() == b""


async def test_a_character_device_is_handed_over_and_does_not_become_our_terminal(
    make: Make,
) -> None:
    master, slave = os.openpty()
    devices = make(d={"kind": "char", "path": os.ttyname(slave), "mode": "rw"})
    opened = await devices.open("d", os.O_RDWR)
    assert os.isatty(opened.fd)
    assert os.get_blocking(opened.fd)
    os.write(master, b"reading\n")
    assert await read_some(opened) == b"reading\n"
    for fd in (master, slave):
        os.close(fd)


async def test_a_file_is_replayed_at_its_rate_and_whole(make: Make, tmp_path: Path) -> None:
    lines = b"".join(b"%d,%d\n" % (n, n * n) for n in range(30)) + b"last"
    (tmp_path / "f").write_bytes(lines)
    devices = make(d={"kind": "file", "path": "f", "rate_hz": 100.0})
    start = time.monotonic()
    opened = await devices.open("d", os.O_RDONLY)
    assert await read_all(opened) == lines
    # 31 lines have 30 waits of 10 ms between them; the pacer may hurry by one tick at most.
    assert time.monotonic() - start >= 0.3 - 0.02


async def test_a_line_longer_than_the_buffer_passes_whole(make: Make, tmp_path: Path) -> None:
    data = b"x" * 200_000 + b"\nshort\n"
    (tmp_path / "f").write_bytes(data)
    devices = make(d={"kind": "file", "path": "f", "rate_hz": 1000.0})
    assert await read_all(await devices.open("d", os.O_RDONLY)) == data


async def test_a_fast_rate_is_reached(make: Make, tmp_path: Path) -> None:
    lines = b"".join(b"%d\n" % n for n in range(20_000))
    (tmp_path / "f").write_bytes(lines)
    devices = make(d={"kind": "file", "path": "f", "rate_hz": 50_000.0})
    assert await read_all(await devices.open("d", os.O_RDONLY)) == lines


async def test_a_replay_ends_when_its_reader_goes(make: Make, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"1\n" * 1000)
    before = open_ends()
    devices = make(d={"kind": "file", "path": "f", "rate_hz": 1.0})
    opened = await devices.open("d", os.O_RDONLY)
    assert await read_some(opened) == b"1\n"
    os.close(opened.detach())
    await eventually(lambda: open_ends() <= before)
    await opened.close()


# --- FIFOs ----------------------------------------------------------------------------------
async def test_a_fifo_reader_waits_for_a_writer_without_blocking_the_loop(
    make: Make, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "p")
    devices = make(d={"kind": "fifo", "path": "p"})
    opening = asyncio.create_task(devices.open("d", os.O_RDONLY))
    # The loop turns while the open waits, or this line would never come.
    await asyncio.sleep(0.01)
    assert not opening.done()
    writer = os.open(tmp_path / "p", os.O_WRONLY)
    os.write(writer, b"1\n")
    opened = await asyncio.wait_for(opening, WAIT_S)
    assert os.get_blocking(opened.fd)
    assert await read_some(opened) == b"1\n"
    os.write(writer, b"2\n")
    os.close(writer)
    assert await read_all(opened) == b"2\n"


async def test_a_waiting_fifo_reader_can_be_cancelled(make: Make, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p")
    devices = make(d={"kind": "fifo", "path": "p"})
    before = open_ends()
    opening = asyncio.create_task(devices.open("d", os.O_RDONLY))
    await eventually(lambda: not open_ends() <= before)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert open_ends() <= before
    assert devices.opened() == 0


async def test_a_fifo_writer_waits_for_a_reader(make: Make, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p")
    devices = make(d={"kind": "fifo", "path": "p", "mode": "w"})
    opening = asyncio.create_task(devices.open("d", os.O_WRONLY))
    await asyncio.sleep(0.01)
    assert not opening.done()
    reader = os.open(tmp_path / "p", os.O_RDONLY | os.O_NONBLOCK)
    opened = await asyncio.wait_for(opening, WAIT_S)
    os.write(opened.fd, b"hello")
    assert os.read(reader, 10) == b"hello"
    os.close(reader)


# --- commands -------------------------------------------------------------------------------
async def test_a_command_runs_in_its_directory_for_each_opener(make: Make, tmp_path: Path) -> None:
    (tmp_path / "temps.csv").write_bytes(b"1\n2\n")
    devices = make(d={"kind": "command", "command": ["cat", "temps.csv"]})
    first = await devices.open("d", os.O_RDONLY)
    second = await devices.open("d", os.O_RDONLY)
    assert await read_all(first) == b"1\n2\n"
    assert await read_all(second) == b"1\n2\n"


async def test_a_command_is_paced(make: Make) -> None:
    table = shell("seq 20") | {"rate_hz": 100.0}
    devices = make(d=table)
    start = time.monotonic()
    opened = await devices.open("d", os.O_RDONLY)
    assert await read_all(opened) == b"".join(b"%d\n" % n for n in range(1, 21))
    assert time.monotonic() - start >= 0.19 - 0.02


@pytest.mark.parametrize("rate_hz", [0.0, 1000.0])
async def test_a_command_ends_when_its_opener_closes(make: Make, rate_hz: float) -> None:
    devices = make(d=shell("echo $$; exec sleep 1000") | {"rate_hz": rate_hz})
    opened = await devices.open("d", os.O_RDONLY)
    pid = int(await read_some(opened))
    assert alive(pid)
    await opened.close()
    assert not alive(pid)
    assert devices.opened() == 0


@pytest.mark.parametrize("rate_hz", [0.0, 1000.0])
async def test_a_silent_command_ends_when_its_reader_is_gone(make: Make, rate_hz: float) -> None:
    """The opener died without a word: nothing is ever written, so SIGPIPE alone would not do."""
    devices = make(d=shell("echo $$; exec sleep 1000") | {"rate_hz": rate_hz})
    opened = await devices.open("d", os.O_RDONLY)
    pid = int(await read_some(opened))
    os.close(opened.detach())
    await eventually(lambda: not alive(pid))
    await eventually(lambda: devices.opened() == 0)


async def test_a_command_that_ignores_sigterm_is_killed(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneos.files.device_command.DEVICE_GRACE_S", 0.1)
    devices = make(d=shell("trap '' TERM; echo $$; while :; do sleep 0.05; done"))
    opened = await devices.open("d", os.O_RDONLY)
    pid = int(await read_some(opened))
    await opened.close()
    assert not alive(pid)


async def test_all_that_a_command_started_ends_with_it(make: Make) -> None:
    devices = make(d=shell("sleep 1000 & echo $!; wait"))
    opened = await devices.open("d", os.O_RDONLY)
    pid = int(await read_some(opened))
    await opened.close()
    await eventually(lambda: not alive(pid) or zombie(pid))


def zombie(pid: int) -> bool:
    """Whether it ended and only its new parent has yet to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("rate_hz", [0.0, 1000.0])
async def test_a_failed_command_gives_end_of_file_and_a_line_in_the_log(
    make: Make, caplog: pytest.LogCaptureFixture, rate_hz: float
) -> None:
    devices = make(d=shell("echo 1; echo 'no sensor' >&2; exit 3") | {"rate_hz": rate_hz})
    with caplog.at_level(logging.WARNING, "oneos"):
        opened = await devices.open("d", os.O_RDONLY)
        assert await read_all(opened) == b"1\n"
        await eventually(lambda: bool(caplog.messages))
    assert caplog.messages == ["/dev/d: its command ended with status 3: no sensor"]


async def test_a_reader_that_closes_early_is_no_failure_of_the_command(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    devices = make(d={"kind": "command", "command": ["yes"]})
    with caplog.at_level(logging.WARNING, "oneos"):
        opened = await devices.open("d", os.O_RDONLY)
        assert (await read_some(opened)).startswith(b"y\n")
        await opened.close()
    assert caplog.messages == []


async def test_a_command_that_is_written_to_finishes_what_it_got(
    make: Make, tmp_path: Path
) -> None:
    devices = make(d=shell("cat > got; echo done >> got") | {"mode": "w"})
    opened = await devices.open("d", os.O_WRONLY)
    os.write(opened.fd, b"1\n2\n")
    await opened.close()
    await eventually(lambda: devices.opened() == 0)
    assert (tmp_path / "got").read_bytes() == b"1\n2\ndone\n"


async def test_a_reader_that_does_not_read_stops_the_command(make: Make, tmp_path: Path) -> None:
    """Readings that nobody takes are not gathered in memory."""
    script = (
        "import sys\n"
        "n = 0\n"
        "while True:\n"
        "    sys.stdout.write('x' * 999 + chr(10)); n += 1\n"
        "    open('count', 'w').write(str(n))\n"
    )
    (tmp_path / "gush.py").write_text(script)
    table = {"kind": "command", "command": [sys.executable, "-u", "gush.py"], "rate_hz": 100_000.0}
    devices = make(d=table)
    await devices.open("d", os.O_RDONLY)

    def count() -> int:
        path = tmp_path / "count"
        return int(path.read_text() or 0) if path.exists() else 0

    last, same = -1, 0
    end = time.monotonic() + WAIT_S
    while same < 10:
        assert time.monotonic() < end
        now = count()
        same = same + 1 if now == last and now > 0 else 0
        last = now
        await asyncio.sleep(0.02)
    # Two pipes of 64 KiB, the pacer's buffer and one read of it.
    assert last * 1000 <= 5 * 65536


async def test_a_command_gets_default_signals_even_if_we_ignore_them(make: Make) -> None:
    script = "import signal as s; print([s.getsignal(n) is s.SIG_DFL for n in (1, 3, 13)], end='')"
    devices = make(d={"kind": "command", "command": [sys.executable, "-c", script]})
    old = signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    try:
        opened = await devices.open("d", os.O_RDONLY)
        # Python itself ignores SIGPIPE; what it was given is in the mask of the kernel.
        assert await read_all(opened) == b"[True, True, False]"
        grep = shell("grep SigIgn /proc/self/status")
        opened = await make(d=grep).open("d", os.O_RDONLY)
        assert int((await read_all(opened)).split()[1], 16) & 0x7FFFFFFF == 0
    finally:
        signal.signal(signal.SIGQUIT, old)
