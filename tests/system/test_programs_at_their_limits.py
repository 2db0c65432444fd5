"""A program that runs out of something gets the errno that POSIX names; the others go on."""

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.system.conftest import DEVICES
from tests.system.support import HOME, Cluster, Outcome, read_line, wait_until
from tests.system.support_context import CARRIERS, cluster_of_both

SOON_S = 60.0
HOSTS = {"instrumented": "host1", "namespace": "host2"}
DISK_BYTES = 160 * 1024 * 1024

DESCRIPTORS = """
import errno, os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True:
        held.append(open("many", "a"))
except OSError as error:
    print(errno.errorcode[error.errno], len(held) > 40)
held.pop().close()
print("again", open("many").read() == "")
"""

CHILDREN = """
import errno, os, sys
born = refused = 0
for _ in range(int(sys.argv[1]) // 50):
    started = []
    for n in range(50):
        try:
            child = os.fork()
        except OSError as error:
            refused = errno.errorcode[error.errno]
            continue
        if child == 0:
            os._exit(n)
        started.append((child, n))
    for child, n in started:
        born += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == n
print(born, refused)
"""

FILLS = """
import errno, os
fd = os.open("fills", os.O_CREAT | os.O_WRONLY)
written = 0
try:
    while True:
        written += os.write(fd, bytes(1 << 20))
except OSError as error:
    print(errno.errorcode[error.errno], written > 16 << 20)
os.ftruncate(fd, 0)
os.pwrite(fd, b"room again", 0)
os.close(fd)
print(open("fills").read())
"""


class OnSmallDisk(Cluster):
    """Three hosts; the disk of the third is small."""

    def up(self, *words: str) -> Outcome:
        disk = self.directory / "host3"
        disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(disk)]
        if subprocess.run(command, check=False).returncode:
            pytest.skip("no disk may be mounted here")
        return super().up(*words)

    def close(self) -> None:
        super().close()
        subprocess.run(["umount", str(self.directory / "host3")], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture(scope="module")
def both() -> Iterator[Cluster]:
    """A host for each way; host3 has the sensors."""
    cluster = cluster_of_both(3, HOSTS, {"host3": DEVICES})
    yield cluster
    cluster.close()


def run(cluster: Cluster, host: str, text: str, word: str = "") -> str:
    """What a program prints that runs on a host."""
    cluster[1].put(f"{HOME}/program.py", text.encode())
    return cluster[1].sh(f"on host:{host} python3 program.py {word}", timeout_s=120).ok()


@pytest.mark.parametrize("carrier", CARRIERS)
def test_program_out_of_descriptors_is_told_and_goes_on_with_fewer(
    both: Cluster, carrier: str
) -> None:
    assert run(both, HOSTS[carrier], DESCRIPTORS) == "EMFILE True\nagain True\n"


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("carrier", CARRIERS)
def test_many_children_start_and_end_with_their_own_statuses(
    both: Cluster, carrier: str, count: int
) -> None:
    assert run(both, HOSTS[carrier], CHILDREN, str(count)) == f"{count} 0\n"
    wait_until(lambda: not both[1].running("python3 program.py"), SOON_S, "none is left")


READS_JS = """
const fs = require('fs');
fs.createReadStream('/dev/sensor/slow')
  .on('data', () => console.log('read'))
  .on('error', (error) => {
    console.log(error.code);
    try { fs.openSync('/dev/sensor/slow'); } catch (failed) { console.log(failed.code); }
  });
"""

READS = """
import errno, os
try:
    with open("/dev/sensor/slow", "rb", buffering=0) as device:
        while piece := device.read(4096):
            print("read", flush=True)
    print("end")
except OSError as error:
    print(errno.errorcode[error.errno])
try:
    open("/dev/sensor/slow", "rb")
except OSError as error:
    print(errno.errorcode[error.errno])
"""


@pytest.mark.parametrize("carrier", CARRIERS)
def test_device_of_a_host_that_dies_is_an_error_to_its_readers(carrier: str) -> None:
    cluster = Cluster(3, {"host1": f'context = "{carrier}"\n', "host3": DEVICES})
    try:
        cluster[1].put(f"{HOME}/reads.py", READS.encode())
        cluster[1].put(f"{HOME}/reads.js", READS_JS.encode())
        with (
            cluster[1].shell("on host:host1 python3 reads.py") as python,
            cluster[1].shell("on host:host1 node reads.js") as node,
        ):
            for shell in (python, node):
                assert read_line(shell.stdout) == b"read\n"
            cluster[3].kill()
            for shell in (python, node):
                rest, _ = shell.communicate(timeout=60)
                assert rest.split()[-2:] == [b"EIO", b"ENXIO"]
    finally:
        cluster.close()


@pytest.mark.skipif(os.getuid() != 0, reason="takes root: mounts a small disk")
@pytest.mark.parametrize("carrier", CARRIERS)
def test_full_disk_is_told_to_who_fills_it_and_to_nobody_else(carrier: str) -> None:
    cluster = OnSmallDisk(3, {"host3": f'context = "{carrier}"\n'})
    try:
        # On the same disk: it may be told as well, and has room again afterwards.
        beside = "while :; do echo beside >> beside; sleep 0.2; done"
        with cluster[1].shell(f"on host:host3 sh -c '{beside}'"):
            wait_until(lambda: "beside" in cluster[1].names(HOME), SOON_S, "it runs")
            assert run(cluster, "host3", FILLS) == "ENOSPC True\nroom again\n"
            lines = len(cluster[1].get(f"{HOME}/beside"))
            wait_until(
                lambda: len(cluster[1].get(f"{HOME}/beside")) > lines, SOON_S, "it still writes"
            )
        assert cluster[1].sh("on host:host3 cat fills").ok() == "room again"
    finally:
        cluster.close()
