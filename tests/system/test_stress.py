"""Tools that others wrote to break file systems find nothing: fio and stress-ng, in a name space.

Both are packages of Debian and Ubuntu, and nothing of ours needs them: `apt install fio stress-ng`.
"""

import contextlib
import shutil
from collections.abc import Iterator

import pytest

from tests.support.namespaces import no_name_space
from tests.system.support import HOME, Cluster, read_line

pytestmark = pytest.mark.skipif(bool(no_name_space()), reason=f"no name space: {no_name_space()}")

LONGER = pytest.mark.nightly
PLACES = ["at home", "through its home"]

FIO = "/usr/bin/fio --name=v --size={size} --verify=crc32c --verify_state_save=0 --verify_fatal=1"
WAYS = [
    "--rw=randwrite --bs=4k --ioengine=psync",
    "--rw=randrw --bsrange=512-64k --ioengine=psync --fsync=100",
    "--rw=write --bs=64k --ioengine=sync --end_fsync=1",
    "--rw=randwrite --bs=4k --ioengine=mmap",
]

STRESSORS = "access chdir chmod chown copy-file dentry dir dirdeep dirmany fallocate fcntl filename"
STRESSORS += " fpunch fstat getdent hdd io iomix link open rename symlink sync-file touch utime"
STRESSORS += " xattr"

HOLD = """
import sys
with open(sys.argv[1], "a+b"):
    print("held", flush=True)
    sys.stdin.read()
"""


def needs(tool: str) -> pytest.MarkDecorator:
    there = shutil.which(tool, path="/usr/bin")
    return pytest.mark.skipif(not there, reason=f"{tool} is not installed (apt install {tool})")


@pytest.fixture(scope="module")
def two() -> Iterator[Cluster]:
    cluster = Cluster(2)
    cluster[1].put(f"{HOME}/hold.py", HOLD.encode())
    yield cluster
    cluster.close()


@needs("fio")
@pytest.mark.parametrize(
    ("way", "size"), [(0, "1m"), *(pytest.param(n, "16m", marks=LONGER) for n in range(len(WAYS)))]
)
@pytest.mark.parametrize("place", PLACES)
def test_fio_reads_what_it_wrote(two: Cluster, place: str, way: int, size: str) -> None:
    if place == PLACES[1] and "mmap" in WAYS[way]:
        pytest.skip("what another host writes cannot be mapped")
    name = f"fio-{PLACES.index(place)}-{way}-{size}"
    with contextlib.ExitStack() as stack:
        if place == PLACES[1]:
            holder = stack.enter_context(two[1].shell(f"/usr/bin/python3 hold.py {name}"))
            assert read_line(holder.stdout, 60) == b"held\n"
        words = f"{FIO.format(size=size)} --filename={name} {WAYS[way]}"
        ran = two[2].sh(f"{words} && echo verified", timeout_s=600)
        assert ran.text.endswith("verified\n") and ran.status == 0, ran
    # On the other host too: it is the same file there.
    checked = f"{FIO.format(size=size)} --filename={name} {WAYS[0]} --verify_only=1"
    if way == 0:
        ran = two[1].sh(f"{checked} && echo verified", timeout_s=600)
        assert ran.text.endswith("verified\n") and ran.status == 0, ran


@needs("stress-ng")
@pytest.mark.nightly
@pytest.mark.parametrize("stressor", STRESSORS.split())
def test_a_stressor_finds_nothing(two: Cluster, stressor: str) -> None:
    line = f"/usr/bin/stress-ng --{stressor} 1 -t 3 --verify --temp-path . --log-brief"
    for host in two.hosts:
        ran = host.sh(f"mkdir -p stress; cd stress; {line}", timeout_s=600)
        assert ran.status == 0, ran
