"""/host: what hosts export of their own files, on both carriers, at the host and at another."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.namespaces import no_name_space
from tests.system.support import HOME, Cluster, wait_until
from tests.system.support_context import cluster_of_both

PROGRAM = """
import errno, os, stat, sys
export, fixed, tag = sys.argv[1:]
os.chdir(export)
def fails(act, *arguments, **more):
    try:
        return act(*arguments, **more)
    except OSError as error:
        return errno.errorcode[error.errno]

# The host's own file.
with open("given/numbers", "rb") as file:
    file.seek(500)
    print(file.read(4), os.pread(file.fileno(), 3, 0), os.fstat(file.fileno()).st_size)
print(sorted(os.listdir(".")), sorted(os.listdir("given")))
about = os.stat("given/numbers")
print(about.st_size, stat.filemode(about.st_mode), about.st_mtime_ns, about.st_uid == os.getuid())
print(about.st_ino == {e.name: e for e in os.scandir("given")}["numbers"].inode())
print(os.statvfs(".").f_blocks > 0, os.path.realpath("given/../given"))

# Changes.
os.mkdir(tag, 0o700)
os.chdir(tag)
with open("a", "x+") as file:
    file.write("one two"), file.flush(), os.fsync(file.fileno())
    file.seek(4), file.write("TWO"), file.truncate(6), file.seek(0)
    print(file.read(), os.fstat(file.fileno()).st_size)
with open("a", "a") as file:
    file.write("end")
print(open("a").read(), fails(os.open, "a", os.O_CREAT | os.O_EXCL))
os.truncate("a", 3), os.chmod("a", 0o640), os.utime("a", ns=(1, 2_000_000_000))
os.symlink("a", "link"), os.link("a", "b"), os.rename("b", "c"), os.mkdir("d")
about = os.stat("link")
print(about.st_nlink, stat.filemode(about.st_mode), about.st_mtime_ns, about.st_size)
print(os.readlink("link"), os.path.samefile("link", "c"), sorted(os.listdir(".")))
print(fails(os.rename, "a", fixed + "/x"), fails(os.rename, "a", "/home/alice/" + tag))
print(fails(os.rmdir, "."), fails(os.unlink, "none"), fails(os.rmdir, "a"), fails(os.unlink, "d"))
os.unlink("c"), os.rmdir("d"), os.unlink("link"), os.unlink("a")
os.chdir("..")
os.rmdir(tag)

# What may not be.
os.chdir(fixed)
flags = os.O_WRONLY | os.O_CREAT
print(open("f").read(), fails(os.open, "f", os.O_RDWR), fails(os.open, "g", flags))
print([fails(x, "f") for x in (os.unlink, os.mkdir)], fails(os.mkdir, "g"))
print(fails(os.truncate, "f", 0))
print(fails(os.open, "fifo", os.O_RDONLY), fails(os.open, "none/x", flags))
# Out of it: `..` leads up in the tree, and links to what stands there in the tree.
print(sorted(os.listdir("..")), open("absolute").read(), fails(open, "up"), fails(open, "magic"))
print(os.readlink("absolute"), fails(os.mkdir, "/host/new"), fails(os.listdir, "/host/none"))
"""

EXPECTED = """b'0500' b'000' 4000
['given'] ['numbers']
4000 -rw-r--r-- 1000000005 True
True
True {export}/given
one TW 6
one TWend EEXIST
2 -rw-r----- 2000000000 3
a True ['a', 'c', 'd', 'link']
EXDEV EXDEV
{dot} ENOENT ENOTDIR EISDIR
fixed EROFS EROFS
['EROFS', 'EEXIST'] EROFS
EROFS
EACCES ENOENT
['data', 'fixed'] of the tree ENOENT {magic}
/home/alice/marked EPERM ENOENT
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The directories that hosts export, by host."""
    made = {}
    for host in ("host1", "host2"):
        top = made[host] = tmp_path_factory.mktemp(host)
        numbers = top / "data" / "given" / "numbers"
        numbers.parent.mkdir(parents=True)
        numbers.write_bytes(b"".join(b"%04d" % n for n in range(1000)).replace(b"0125", b"0500"))
        os.utime(numbers, ns=(1_000_000_005, 1_000_000_005))
        numbers.chmod(0o644)
        fixed = top / "fixed"
        fixed.mkdir()
        (fixed / "f").write_text("fixed")
        (top / "secret").write_text("a secret of the host")
        (fixed / "absolute").symlink_to("/home/alice/marked")
        (fixed / "up").symlink_to("../secret")
        (fixed / "magic").symlink_to(f"/proc/{os.getpid()}/root/{top}/secret")
        os.mkfifo(fixed / "fifo")
    return made


@pytest.fixture(scope="module")
def exporting(given: dict[str, Path]) -> Iterator[Cluster]:
    """Two hosts that export; the programs of the second run in a name space, if there can be."""
    extra = {
        host: f'[[export]]\nname = "data"\npath = "{top}/data"\nwrite = true\n'
        f'[[export]]\nname = "fixed"\npath = "{top}/fixed"\n'
        for host, top in given.items()
    }
    ways = {"instrumented": "host1"} | ({} if no_name_space() else {"namespace": "host2"})
    cluster = cluster_of_both(2, ways, extra)
    cluster[1].put(f"{HOME}/marked", b"of the tree")
    cluster[1].put(f"{HOME}/look.py", PROGRAM.encode())
    yield cluster
    cluster.close()


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("of", [1, 2])
def test_programs_use_what_a_host_exports_and_nothing_else(
    exporting: Cluster, at: int, of: int
) -> None:
    export = f"/host/host{of}/data"
    command = "python3" if at == 1 or no_name_space() else "/usr/bin/python3"
    outcome = exporting[at].sh(f"{command} look.py {export} /host/host{of}/fixed at{at}of{of}")
    expected = EXPECTED.format(export=export, dot="EINVAL", magic="ENOENT")
    assert outcome.ok() == expected


def test_change_of_the_hosts_own_programs_shows_at_once(
    exporting: Cluster, given: dict[str, Path]
) -> None:
    shared = given["host1"] / "data" / "changing"
    script = """
import sys
for line in sys.stdin:
    try:
        print(open("/host/host1/data/changing").read(), flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""
    for host in exporting.hosts:
        host.put(f"{HOME}/watch.py", script.encode())
        with host.shell("python3 -S watch.py") as process:
            assert process.stdin and process.stdout
            for n in range(30):
                if n % 3 == 2:
                    shared.unlink()
                elif n % 3 == 1:
                    # Another file of the same name and size.
                    (shared.parent / "new").write_text(f"{n:03}")
                    (shared.parent / "new").rename(shared)
                else:
                    shared.write_text(f"{n:03}")
                process.stdin.write(b"\n")
                process.stdin.flush()
                seen = process.stdout.readline().decode().strip()
                assert seen == ("FileNotFoundError" if n % 3 == 2 else f"{n:03}")


SHOWN = """/host:
host1
host2

/host/host2:
data
fixed
"""


def test_shell_uses_what_is_exported(exporting: Cluster, given: dict[str, Path]) -> None:
    exporting[1].sh("cat < /host/host2/fixed/f; echo said > /host/host2/data/s").ok()
    assert exporting[1].sh("ls /host /host/host2").ok() == SHOWN
    assert (given["host2"] / "data" / "s").read_text() == "said\n"
    (given["host2"] / "data" / "s").unlink()


def test_host_that_is_away_is_an_error_that_names_it(exporting: Cluster) -> None:
    here, there = exporting[1], exporting[2]
    script = "import os\ntry: os.stat('/host/host2/data')\nexcept OSError as error: print(error)\n"
    here.put(f"{HOME}/away.py", script.encode())
    there.run("down")
    wait_until(
        lambda: here.member("host2").get("state") != "alive", 60, "host2 is known to be away"
    )
    assert "Host is down" in here.sh("python3 away.py").ok()
    assert "Host is down" in here.sh("ls /host/host2/data").err
    assert here.sh("ls /host").ok() == "host1\nhost2\n"
    there.start()
    wait_until(lambda: here.member("host2").get("state") == "alive", 60, "host2 is back")
    assert here.sh("ls /host/host2").ok() == "data\nfixed\n"
