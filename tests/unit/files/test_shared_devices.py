"""Devices that several programs share, with real FIFOs and pseudo-terminals behind them."""

import asyncio
import contextlib
import errno
import os
import subprocess
import sys
import tty
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from oneos.config_devices import DeviceConfig
from oneos.config_hardware import GpioSettings, Match, SerialSettings
from oneos.errors import FileError
from oneos.files import usb
from oneos.files.device_openings import OpenDevice
from oneos.files.devices import Devices, Opener
from oneos.files.fanout import FRAME, DamagedFrame, cut_frames, cut_lines
from oneos.limits import DEVICE_BACKLOG_READINGS, DEVICE_LINE_BYTES_MAX

try:
    import gpiod
except ImportError:
    gpiod = None

DEADLINE_S = 60.0
Make = Callable[..., Devices]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes the devices of a host from keyword tables; all are closed at the end."""
    made: list[Devices] = []

    def build(**tables: dict[str, Any]) -> Devices:
        configs = [
            DeviceConfig(name=name, directory=str(tmp_path), **{"shared": True, **table})
            for name, table in tables.items()
        ]
        made.append(Devices(configs, tmp_path))
        return made[-1]

    yield build
    for devices in made:
        await devices.close()
        assert devices.opened() == 0


class Port:
    """A pseudo-terminal under a name, as a serial port that can be pulled out and put in again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.master = -1
        self.plug()

    def plug(self) -> None:
        self.master, slave = os.openpty()
        # As a port has it: the far end is not a person's terminal.
        tty.setraw(slave)
        self.path.symlink_to(os.ttyname(slave))
        os.close(slave)

    def pull(self) -> None:
        master, self.master = self.master, -1
        if master >= 0:
            os.close(master)
            self.path.unlink()

    def send(self, data: bytes) -> None:
        os.write(self.master, data)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    port = Port(tmp_path / "port")
    yield port
    port.pull()


async def some(opened: OpenDevice, size: int = 65536) -> bytes:
    """What comes next, as a program would read it."""
    return await asyncio.wait_for(asyncio.to_thread(os.read, opened.fd, size), DEADLINE_S)


async def rest(opened: OpenDevice) -> bytes:
    """All that comes, to the end."""
    data = b""
    while block := await some(opened):
        data += block
    return data


async def exactly(opened: OpenDevice, size: int) -> bytes:
    data = b""
    while len(data) < size:
        block = await some(opened, size - len(data))
        assert block, f"it ended after {data!r}"
        data += block
    return data


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event.
            await asyncio.sleep(0.005)


async def refused(opening: Any) -> FileError:
    with pytest.raises(FileError) as raised:
        await opening
    return raised.value


async def read_fifo(
    devices: Devices, path: Path, readers: int, feed: bool = False
) -> tuple[list[OpenDevice], int]:
    """Readers of a FIFO device, and its writer, which has made it begin."""
    opening = [
        asyncio.create_task(devices.open("d", os.O_RDONLY, Opener("h", 10 + n), feed))
        for n in range(readers)
    ]
    # It waits for a reader, which is there once the device's host has opened it.
    sink = await asyncio.to_thread(os.open, path, os.O_WRONLY)
    os.write(sink, b"first\n")
    return list(await asyncio.gather(*opening)), sink


# --- cutting --------------------------------------------------------------------------------
def test_lines_are_cut_at_newlines_only_and_long_ones_in_pieces() -> None:
    assert cut_lines(b"a\nb\r\nc\rd\n\ne") == ([b"a\n", b"b\r\n", b"c\rd\n", b"\n"], b"e")
    assert cut_lines(b"a\n\nb") == ([b"a\n", b"\n"], b"b")
    assert cut_lines(b"") == ([], b"")
    long = b"x" * DEVICE_LINE_BYTES_MAX
    assert cut_lines(b"a\n" + long) == ([b"a\n", long], b"")


def test_frames_come_whole_or_wait_for_their_rest() -> None:
    data = FRAME.pack(0, 2) + b"a\n" + FRAME.pack(7, 3) + b"bc\n"
    for cut in range(len(data) + 1):
        first, left = cut_frames(data[:cut])
        second, left = cut_frames(left + data[cut:])
        assert (first + second, left) == ([(0, b"a\n"), (7, b"bc\n")], b"")
    with pytest.raises(DamagedFrame):
        cut_frames(FRAME.pack(0, 0xFFFF_FFFF))


# --- reading --------------------------------------------------------------------------------
async def test_each_reader_gets_every_reading(make: Make, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p")
    devices = make(d={"kind": "fifo", "path": "p"})
    readers, sink = await read_fifo(devices, tmp_path / "p", 3)
    lines = b"".join(b"%d\n" % n for n in range(1000))
    os.write(sink, lines)
    os.close(sink)
    for reader in readers:
        assert await rest(reader) == b"first\n" + lines
    assert devices.state("d").readings == 1001
    for reader in readers:
        await reader.close()


async def test_a_slow_reader_loses_the_oldest_and_slows_nobody(make: Make, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p")
    devices = make(d={"kind": "fifo", "path": "p"})
    (fast, slow), sink = await read_fifo(devices, tmp_path / "p", 2)
    width = 100
    assert await exactly(fast, 6) == b"first\n"
    sent = 0
    # Far more than its pipe and its backlog hold; the fast one has each part before the next.
    while sent < 3 * DEVICE_BACKLOG_READINGS:
        part = b"".join(b"%0*d\n" % (width - 1, sent + n) for n in range(200))
        await asyncio.to_thread(os.write, sink, part)
        assert await exactly(fast, len(part)) == part
        sent += 200
    before = {x.pid: x for x in devices.state("d").readers}
    assert before[10].lost == 0 and before[11].lost > 0
    os.close(sink)
    assert await rest(fast) == b""
    got = (await rest(slow)).splitlines()
    # Whole lines, in order, and the newest of all is the last.
    assert got[0] == b"first" and got[-1] == b"%0*d" % (width - 1, sent - 1)
    numbers = [int(line) for line in got[1:]]
    assert numbers == sorted(numbers) and all(len(line) == width - 1 for line in got[1:])
    assert len(got) + before[11].lost == sent + 1
    assert devices.state("d").lost == before[11].lost
    await fast.close()
    await slow.close()


async def test_what_another_host_loses_stands_in_its_frames(make: Make, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p")
    devices = make(d={"kind": "fifo", "path": "p"})
    opening = asyncio.create_task(devices.open("d", os.O_RDONLY, Opener("far"), feed=True))
    sink = await asyncio.to_thread(os.open, tmp_path / "p", os.O_WRONLY)
    count = 3 * DEVICE_BACKLOG_READINGS
    line = b"x" * 99 + b"\n"
    os.write(sink, line)
    feed = await opening
    sent = 1
    while sent < count:
        await asyncio.to_thread(os.write, sink, line * (part := min(600, count - sent)))
        sent += part
    os.close(sink)
    frames, left = cut_frames(await rest(feed))
    assert not left and all(reading == line for _, reading in frames)
    assert len(frames) + sum(lost for lost, _ in frames) == count
    assert len(frames) < count
    # It counts by itself, for each of its readers.
    assert devices.state("d").lost == 0 and devices.state("d").hosts == ["far"]
    await feed.close()


async def test_a_shared_command_runs_once_and_ends_with_its_last_reader(
    make: Make, tmp_path: Path
) -> None:
    script = "echo run >> runs; while read x; do echo $x; done < p; exec sleep 1000"
    os.mkfifo(tmp_path / "p")
    devices = make(d={"kind": "command", "command": ["sh", "-c", script]})
    first = await devices.open("d", os.O_RDONLY)
    second = await devices.open("d", os.O_RDONLY)
    sink = await asyncio.to_thread(os.open, tmp_path / "p", os.O_WRONLY)
    os.write(sink, b"1\n2\n")
    assert await exactly(first, 4) == await exactly(second, 4) == b"1\n2\n"
    os.close(sink)
    assert (tmp_path / "runs").read_bytes() == b"run\n"
    await first.close()
    assert devices._shared["d", os.O_RDWR].is_open
    await second.close()
    assert not devices._shared["d", os.O_RDWR].is_open


async def test_a_source_without_readers_keeps_what_comes(make: Make, port: Port) -> None:
    devices = make(d={"kind": "serial", "path": "port", "serial": SerialSettings(), "mode": "rw"})
    writer = await devices.open("d", os.O_WRONLY)
    os.write(writer.fd, b"ask\n")
    assert await asyncio.to_thread(os.read, port.master, 100) == b"ask\n"
    port.send(b"answer\n")
    reader = await devices.open("d", os.O_RDONLY)
    assert await some(reader) == b"answer\n"
    await reader.close()
    await writer.close()


async def test_openers_at_once_share_one_failure_and_one_success(
    make: Make, tmp_path: Path
) -> None:
    devices = make(d={"kind": "fifo", "path": "p"})
    errors = await asyncio.gather(*[refused(devices.open("d", os.O_RDONLY)) for _ in range(3)])
    assert [error.errno for error in errors] == [errno.ENXIO] * 3
    os.mkfifo(tmp_path / "p")
    opening = [asyncio.create_task(devices.open("d", os.O_RDONLY)) for _ in range(3)]
    await until(lambda: devices.opened() == 3)
    # One gives up; the others wait on.
    opening[0].cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await opening[0]
    sink = await asyncio.to_thread(os.open, tmp_path / "p", os.O_WRONLY)
    os.write(sink, b"1\n")
    for opened in await asyncio.gather(*opening[1:]):
        assert await some(opened) == b"1\n"
        await opened.close()
    os.close(sink)


# --- writing --------------------------------------------------------------------------------
async def test_lines_of_several_writers_stay_whole(make: Make, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p")
    devices = make(d={"kind": "fifo", "path": "p", "mode": "w"})
    opening = [asyncio.create_task(devices.open("d", os.O_WRONLY)) for _ in range(3)]
    # Not to wait, which would hold up the loop that opens the other end.
    source = os.open(tmp_path / "p", os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(source, True)
    writers = await asyncio.gather(*opening)

    def write(fd: int, letter: bytes) -> None:
        # In pieces that end within lines, and lines longer than a pipe takes whole.
        data = b"".join(letter * (5000 + n) + b"\n" for n in range(40))
        for at in range(0, len(data), 777):
            os.write(fd, data[at : at + 777])

    async def finish(writer: OpenDevice, letter: bytes) -> None:
        await asyncio.to_thread(write, writer.fd, letter)
        await writer.close()

    def read() -> bytes:
        data = b""
        while block := os.read(source, 65536):
            data += block
        return data

    reading = asyncio.create_task(asyncio.to_thread(read))
    await asyncio.gather(*[finish(w, b"%c" % (97 + n)) for n, w in enumerate(writers)])
    got = (await reading).splitlines()
    os.close(source)
    assert len(got) == 120
    for letter in (b"a", b"b", b"c"):
        of_one = [line for line in got if line[:1] == letter]
        assert of_one == [letter * (5000 + n) for n in range(40)]


async def test_one_descriptor_reads_and_writes(make: Make, port: Port) -> None:
    devices = make(d={"kind": "char", "path": "port", "mode": "rw", "framing": "raw"})
    opened = await devices.open("d", os.O_RDWR)
    os.write(opened.fd, b"\x00\xff\r")
    assert await asyncio.to_thread(os.read, port.master, 100) == b"\x00\xff\r"
    port.send(b"> ")
    assert await some(opened) == b"> "
    await opened.close()


# --- exclusive ------------------------------------------------------------------------------
async def test_an_exclusive_device_is_busy_for_everybody_else(make: Make, port: Port) -> None:
    settings = {"kind": "serial", "path": "port", "mode": "rw", "serial": SerialSettings()}
    devices = make(d={**settings, "exclusive": True})
    reader = await devices.open("d", os.O_RDONLY, Opener("a", 7))
    for opener in (Opener("a", 8), Opener("b", 7), Opener("a", 0), None):
        for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
            error = await refused(devices.open("d", flags, opener))
            assert error.errno == errno.EBUSY and "by process 7" in error.hint
    assert (await refused(devices.open("d", os.O_RDONLY, Opener("a", 7)))).errno == errno.EBUSY
    # The one that has it may have its other direction.
    writer = await devices.open("d", os.O_WRONLY, Opener("a", 7))
    await reader.close()
    await writer.close()
    await (await devices.open("d", os.O_RDONLY, Opener("b", 9))).close()


async def test_an_exclusive_device_that_cannot_be_opened_is_free(
    make: Make, tmp_path: Path
) -> None:
    devices = make(d={"kind": "char", "path": "p", "exclusive": True})
    for _ in range(2):
        assert (await refused(devices.open("d", os.O_RDONLY))).errno == errno.ENXIO
    assert not devices.announced()[0].shared


# --- serial ports ---------------------------------------------------------------------------
async def test_a_port_is_set_as_configured(make: Make, port: Port) -> None:
    import termios

    settings = SerialSettings(baud=57600, bytesize=7, parity="odd", stopbits=2.0, flow="xonxoff")
    devices = make(d={"kind": "serial", "path": "port", "serial": settings})
    opened = await devices.open("d", os.O_RDONLY)
    iflag, _, cflag, lflag, _, speed, _ = termios.tcgetattr(port.master)
    assert speed == termios.B57600
    # A pseudo-terminal has 8 bits and no parity bit whatever it is told, but takes note of which.
    assert cflag & termios.CSTOPB and cflag & termios.PARODD
    assert iflag & termios.IXON and not lflag & (termios.ICANON | termios.ECHO)
    await opened.close()


async def test_a_port_that_is_pulled_out_ends_its_readers_and_comes_back(
    make: Make, port: Port
) -> None:
    devices = make(d={"kind": "serial", "path": "port", "mode": "rw", "serial": SerialSettings()})
    for turn in range(3):
        readers = [await devices.open("d", os.O_RDONLY) for _ in range(2)]
        writer = await devices.open("d", os.O_WRONLY)
        port.send(b"turn %d\nhalf" % turn)
        for reader in readers:
            assert await exactly(reader, 7) == b"turn %d\n" % turn
        port.pull()
        for reader in readers:
            assert await rest(reader) in (b"half", b"")
            await reader.close()
        await until(lambda fd=writer.fd: _is_broken(fd))
        assert (await refused(writer.close())).errno == errno.EIO
        error = await refused(devices.open("d", os.O_RDONLY))
        assert error.errno == errno.ENXIO and "plugged in" in error.hint
        port.plug()
    assert devices.state("d").ended == 3


def _is_broken(fd: int) -> bool:
    try:
        os.write(fd, b"")
        os.write(fd, b"x\n")
    except BrokenPipeError:
        return True
    return False


async def test_a_port_that_another_program_has_locked_is_busy(make: Make, port: Port) -> None:
    import fcntl

    devices = make(d={"kind": "serial", "path": "port", "serial": SerialSettings()})
    other = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert (await refused(devices.open("d", os.O_RDONLY))).errno == errno.EBUSY
    os.close(other)
    opened = await devices.open("d", os.O_RDONLY)
    port.send(b"1\n")
    assert await some(opened) == b"1\n"
    await opened.close()


@pytest.mark.parametrize("path", ["missing", "/dev/null"])
async def test_what_is_no_port_is_enxio(make: Make, path: str) -> None:
    devices = make(d={"kind": "serial", "path": path, "serial": SerialSettings()})
    error = await refused(devices.open("d", os.O_RDONLY))
    assert error.errno == errno.ENXIO and path in error.hint


async def test_a_library_that_is_missing_is_named(
    make: Make, port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = make(
        s={"kind": "serial", "path": "port", "serial": SerialSettings()},
        g={"kind": "gpio", "gpio": GpioSettings(chip="/dev/null", line=1)},
    )
    for name, package, device in (("serial", "pyserial", "s"), ("gpiod", "oneos[gpio]", "g")):
        monkeypatch.setitem(sys.modules, name, None)
        error = await refused(devices.open(device, os.O_RDONLY))
        assert error.errno == errno.ENXIO and f"pip install '{package}" in error.hint


# --- GPIO lines -----------------------------------------------------------------------------
needs_gpiod = pytest.mark.skipif(gpiod is None, reason="gpiod is not installed: oneos[gpio]")
"""Where it is, no test needs a chip: the kernel's gpio-sim is a module that few systems have."""


@needs_gpiod
@pytest.mark.parametrize(
    ("chip", "words"), [("/dev/null", "is no GPIO chip"), ("/dev/gpiochip99", "plugged in")]
)
async def test_a_chip_that_is_not_there_is_enxio(make: Make, chip: str, words: str) -> None:
    devices = make(d={"kind": "gpio", "gpio": GpioSettings(chip=chip, line=1)})
    error = await refused(devices.open("d", os.O_RDONLY))
    assert error.errno == errno.ENXIO and words in error.hint


class Line:
    """What gpiod gives for a line, where no kernel has one; its events are gpiod's own."""

    def __init__(self) -> None:
        self.fd, self.far = os.pipe()
        self.offsets = [17]
        self.value: Any = None
        self.events: list[Any] = []

    def edge(self, rising: bool, timestamp_ns: int) -> None:
        kinds = gpiod.EdgeEvent.Type
        kind = kinds.RISING_EDGE if rising else kinds.FALLING_EDGE
        self.events.append(gpiod.EdgeEvent(kind.value, timestamp_ns, 17, 1, 1))
        os.write(self.far, b"e")

    def read_edge_events(self) -> list[Any]:
        os.read(self.fd, 100)
        events, self.events = self.events, []
        return events

    def get_value(self, line: int) -> Any:
        assert line == 17
        return self.value

    def set_value(self, line: int, value: Any) -> None:
        assert line == 17
        self.value = value

    def release(self) -> None:
        os.close(self.fd)
        os.close(self.far)


def requests(line: Line) -> Callable[..., Line]:
    def request(chip: str, consumer: str, config: Any, event_buffer_size: int) -> Line:
        assert chip == "/dev/gpiochip0" and list(config) == ["GPIO17"]
        assert isinstance(config["GPIO17"], gpiod.LineSettings)
        return line

    return request


@needs_gpiod
async def test_each_edge_is_a_line_and_so_is_each_value_at_a_rate(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line()
    monkeypatch.setattr(gpiod, "request_lines", requests(line))
    settings = GpioSettings(chip="/dev/gpiochip0", line="GPIO17", bias="pull-up", debounce_ms=5)
    devices = make(d={"kind": "gpio", "gpio": settings})
    opened = await devices.open("d", os.O_RDONLY)
    line.edge(True, 1_500_000_000)
    assert await some(opened) == b"1 1.500000000\n"
    line.edge(False, 2_000_000_001)
    assert await some(opened) == b"0 2.000000001\n"
    await opened.close()

    line = Line()
    line.value = gpiod.line.Value.ACTIVE
    monkeypatch.setattr(gpiod, "request_lines", requests(line))
    settings = GpioSettings(chip="/dev/gpiochip0", line="GPIO17", rate_hz=1000.0)
    devices = make(d={"kind": "gpio", "gpio": settings})
    opened = await devices.open("d", os.O_RDONLY)
    assert await exactly(opened, 4) == b"1\n1\n"
    await opened.close()


@needs_gpiod
async def test_a_line_that_was_set_stays_requested(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line()
    monkeypatch.setattr(gpiod, "request_lines", requests(line))
    settings = GpioSettings(chip="/dev/gpiochip0", line="GPIO17", active_low=True)
    devices = make(d={"kind": "gpio", "gpio": settings, "mode": "w"})
    for word, value in ((b"1\n", "ACTIVE"), (b"0", "INACTIVE")):
        opened = await devices.open("d", os.O_WRONLY)
        os.write(opened.fd, word)
        await opened.close()
        assert line.value is gpiod.line.Value[value]
        assert devices._shared["d", os.O_RDWR].is_open
    opened = await devices.open("d", os.O_WRONLY)
    os.write(opened.fd, b"on\n")
    assert (await refused(opened.close())).errno == errno.EINVAL
    assert line.value is gpiod.line.Value.INACTIVE


# --- found by what they are -----------------------------------------------------------------
def _plug_usb(top: Path, bus: str, node: str, vendor: str, product: str, serial: str) -> None:
    """What sysfs shows of a USB serial adapter: the node is some levels below the USB device."""
    usb_device = top / "devices" / "usb1" / bus
    holder = usb_device / f"{bus}:1.0" / node
    (holder / "tty" / node).mkdir(parents=True)
    for name, text in (("idVendor", vendor), ("idProduct", product), ("serial", serial)):
        (usb_device / name).write_text(text + "\n")
    (holder / "tty" / node / "uevent").write_text(f"MAJOR=188\nDEVNAME={node}\n")
    (holder / "tty" / node / "device").symlink_to(holder)
    group = top / "class" / "tty"
    group.mkdir(parents=True, exist_ok=True)
    (group / node).symlink_to(holder / "tty" / node)


def test_a_device_is_found_by_its_vendor_product_and_serial_number(tmp_path: Path) -> None:
    _plug_usb(tmp_path, "1-1", "ttyUSB0", "0403", "6001", "A1")
    _plug_usb(tmp_path, "1-2", "ttyUSB1", "0403", "6001", "A2")
    _plug_usb(tmp_path, "1-3", "ttyACM0", "2e8a", "000A", "B1")
    (tmp_path / "class" / "tty" / "console").mkdir()
    find = usb.find
    assert find(Match(vendor="2E8A"), "/dev/x", str(tmp_path)) == "/dev/ttyACM0"
    assert find(Match(product="000a"), "/dev/x", str(tmp_path)) == "/dev/ttyACM0"
    assert find(Match(vendor="0403", serial="A2"), "/dev/x", str(tmp_path)) == "/dev/ttyUSB1"
    for match, words in (
        (Match(vendor="0403"), "/dev/ttyUSB0, /dev/ttyUSB1 have vendor 0403: add the serial"),
        (Match(serial="C"), "no tty device with serial C: is it plugged in?"),
        (Match(vendor="2e8a", subsystem="hidraw"), "no hidraw device"),
    ):
        with pytest.raises(FileError) as raised:
            find(match, "/dev/x", str(tmp_path))
        assert raised.value.errno == errno.ENXIO and words in raised.value.hint
    # Into another port, and called otherwise: it is found anew.
    (tmp_path / "class" / "tty" / "ttyACM0").unlink()
    assert usb.candidates(Match(vendor="2e8a"), str(tmp_path)) == []
    _plug_usb(tmp_path, "1-4", "ttyACM7", "2e8a", "000a", "B1")
    assert find(Match(serial="B1"), "/dev/x", str(tmp_path)) == "/dev/ttyACM7"


# --- what it costs --------------------------------------------------------------------------
def test_no_library_of_a_device_is_loaded_before_one_is_opened() -> None:
    script = "import sys, oneos.runtime.node; print({'serial', 'paho', 'gpiod'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert said.stdout == "set()\n", said
