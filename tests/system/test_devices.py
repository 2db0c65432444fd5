"""Devices read and written from several hosts at once; pseudo-terminals stand for serial ports."""

import contextlib
import os
import re
import subprocess
import tempfile
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.support import HOME, Cluster, Host, read_line, wait_until
from tests.system.support_context import cluster_of_both

LIMIT_S = 60.0
BATCH = 400
SENT = 8_000

HOSTS = {"instrumented": "host1", "namespace": "host3"}

READER = """
import errno, os, sys
batch = int(sys.argv[2])
fd = os.open(sys.argv[1], os.O_RDONLY)
print("open", os.getpid(), flush=True)
if not batch:
    sys.stdin.readline()
got, data = [], b""
def read():
    try:
        return os.read(fd, 65536)
    except OSError as error:
        print("broke off", errno.errorcode[error.errno], flush=True)
        sys.exit()
while block := read():
    *lines, data = (data + block).split(b"\\n")
    before = len(got)
    got += map(int, lines)
    for done in range(before // batch, len(got) // batch) if batch else ():
        print((done + 1) * batch, flush=True)
print("end", len(got), got[-1], got == sorted(got), data, flush=True)
"""

WRITER = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY)
data = b"".join(sys.argv[2].encode() * (300 + n) + b"\\n" for n in range(50))
for at in range(0, len(data), 777):
    os.write(fd, data[at : at + 777])
os.close(fd)
print("written")
"""

OPENER = """
import errno, os, sys
try:
    os.close(os.open(sys.argv[1], os.O_RDONLY))
    print("open")
except OSError as error:
    print(errno.errorcode[error.errno])
"""


class Port:
    """A pseudo-terminal under a name that does not change, as udev gives it to a serial port."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plug()

    def plug(self) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.path.symlink_to(os.ttyname(slave))
        os.close(slave)

    def pull(self) -> None:
        os.close(self.master)
        self.path.unlink()

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.master, data) :]


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, Port]]:
    directory = Path(tempfile.mkdtemp(prefix="oneos-ports-"))
    ports = {name: Port(directory / name) for name in ("a", "b", "c")}
    yield ports
    for port in ports.values():
        port.pull()
    directory.rmdir()


@pytest.fixture(scope="module")
def hosts(ports: dict[str, Port]) -> Iterator[Cluster]:
    """Three hosts, one of each context; the ports hang on the second."""
    declared = "".join(
        f'[[device]]\nname = "port/{name}"\nkind = "serial"\npath = "{port.path}"\nmode = "rw"\n'
        f"baud = 115200\nexclusive = {'true' if name == 'c' else 'false'}\n"
        for name, port in ports.items()
    )
    cluster = cluster_of_both(3, HOSTS, {"host2": declared})
    for name, text in (("reader", READER), ("writer", WRITER), ("opener", OPENER)):
        cluster[1].put(f"{HOME}/{name}.py", text.encode())
    yield cluster
    cluster.close()


class Reader:
    """A program that has a device open."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        word, self.pid = self.line().split()
        assert word == "open"

    def line(self) -> str:
        return read_line(self.process.stdout, LIMIT_S).decode().strip()


def start(stack: contextlib.ExitStack, host: Host, device: str, batch: int) -> Reader:
    script = f"on host:{host.name} python3 reader.py {device} {batch}"
    return Reader(stack.enter_context(host.shell(script)))


def counters(host: Host, name: str) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """What /runtime says of a device of host2, and of each reader by its host and PID."""
    facts, readers = {}, {}
    for line in host.sh(f"cat /runtime/host2/devices/{name}").ok().splitlines():
        key, rest = line.split(" ", 1)
        if key == "reader":
            where, pid, *words = rest.split()
            readers[f"{where} {pid}"] = dict(zip(words[::2], map(int, words[1::2]), strict=True))
        else:
            facts[key] = rest
    return facts, readers


def test_every_reader_gets_all_and_a_slow_ones_loss_is_counted_exactly(
    hosts: Cluster, ports: dict[str, Port]
) -> None:
    port = ports["a"]
    with contextlib.ExitStack() as stack:
        fast = [start(stack, hosts[n], "/dev/port/a", BATCH) for n in (1, 2, 3)]
        slow = start(stack, hosts[3], "/dev/port/a", 0)
        for first in range(0, SENT, BATCH):
            port.send(b"".join(b"%099d\n" % n for n in range(first, first + BATCH)))
            # The slow one holds up none of them, on its own host neither.
            assert {reader.line() for reader in fast} == {str(first + BATCH)}
        facts, readers = counters(hosts[1], "port/a")
        assert (facts["kind"], facts["shared"], facts["exclusive"]) == ("serial", "yes", "no")
        assert int(facts["readings"]) == SENT and int(facts["bytes"]) == 100 * SENT
        # One opening for each host that is not the device's, however many read there.
        assert int(facts["openings"]) == 3
        for number, reader in enumerate(fast, start=1):
            assert readers[f"host{number} {reader.pid}"]["lost"] == 0
        waiting = readers[f"host3 {slow.pid}"]
        assert waiting["lost"] > 0 and waiting["waiting"] > 0
        port.pull()
        for reader in fast:
            assert reader.line() == f"end {SENT} {SENT - 1} True b''"
        assert slow.process.stdin is not None
        slow.process.stdin.write(b"now\n")
        word, got, last, in_order, rest = slow.line().split()
        # What is lost is the oldest: the newest is there.
        assert (word, last, in_order, rest) == ("end", str(SENT - 1), "True", "b''")
    facts, _ = counters(hosts[1], "port/a")
    assert int(got) + int(facts["lost"]) == SENT
    port.plug()


def test_a_port_that_is_pulled_out_comes_back_without_a_restart(
    hosts: Cluster, ports: dict[str, Port]
) -> None:
    port = ports["b"]
    for _ in range(2):
        with contextlib.ExitStack() as stack:
            readers = [start(stack, hosts[n], "/dev/port/b", 1) for n in (1, 2, 3)]
            port.send(b"1\n")
            for reader in readers:
                assert reader.line() == "1"
            port.pull()
            for reader in readers:
                assert reader.line() == "end 1 1 True b''"
        for number in (1, 2, 3):
            said = hosts[number].sh(f"on host:host{number} python3 opener.py /dev/port/b").ok()
            assert said == "ENXIO\n"
        port.plug()
    with contextlib.ExitStack() as stack:
        again = start(stack, hosts[3], "/dev/port/b", 1)
        port.send(b"2\n")
        assert again.line() == "1"


def test_an_exclusive_port_is_busy_on_every_host(hosts: Cluster, ports: dict[str, Port]) -> None:
    with contextlib.ExitStack() as stack:
        holder = start(stack, hosts[3], "/dev/port/c", 1)
        for number in (1, 2, 3):
            said = hosts[number].sh(f"on host:host{number} python3 opener.py /dev/port/c").ok()
            assert said == "EBUSY\n"
        shown = hosts[1].sh("cat /dev/port/c")
        assert shown.status == 1 and re.search("busy", shown.err)
        ports["c"].send(b"1\n")
        assert holder.line() == "1"
        ports["c"].pull()
        assert holder.line() == "end 1 1 True b''"
        ports["c"].plug()

    def free() -> bool:
        return hosts[1].sh("on host:host1 python3 opener.py /dev/port/c").ok() == "open\n"

    wait_until(free, LIMIT_S, "the device is free again when its program has ended")


def test_lines_of_writers_on_several_hosts_never_mix(
    hosts: Cluster, ports: dict[str, Port]
) -> None:
    port = ports["b"]
    expected = {w: [w.encode() * (300 + n) for n in range(50)] for w in ("x", "y", "z")}
    size = sum(len(line) + 1 for lines in expected.values() for line in lines)
    got = bytearray()

    def read() -> None:
        while len(got) < size:
            got.extend(os.read(port.master, 65536))

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    with contextlib.ExitStack() as stack:
        writers = [
            stack.enter_context(
                hosts[n].shell(f"on host:host{n} python3 writer.py /dev/port/b {letter}")
            )
            for n, letter in enumerate(expected, start=1)
        ]
        for writer in writers:
            assert read_line(writer.stdout, LIMIT_S) == b"written\n"
    reading.join(LIMIT_S)
    lines = bytes(got).split(b"\n")
    assert lines.pop() == b""
    for letter, whole in expected.items():
        assert [line for line in lines if line[:1] == letter.encode()] == whole


def test_readers_learn_that_the_ports_host_died(hosts: Cluster, ports: dict[str, Port]) -> None:
    with contextlib.ExitStack() as stack:
        readers = [start(stack, hosts[n], "/dev/port/a", 1) for n in (1, 3)]
        ports["a"].send(b"1\n")
        for reader in readers:
            assert reader.line() == "1"
        hosts[2].kill()
        for reader in readers:
            # No end of file, which would pass for the end of the readings.
            assert reader.line() == "broke off EIO"
    hosts[2].start()

    def back() -> bool:
        return hosts[1].sh("on host:host1 python3 opener.py /dev/port/a").text == "open\n"

    wait_until(back, LIMIT_S, "the device is there again with its host")
