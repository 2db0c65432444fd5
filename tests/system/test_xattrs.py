"""Extended attributes are the tree's: as natively, in both carriers, at once on every host."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest

from tests.support.xattrs import HAS_XATTRS
from tests.system.support import HOME, Cluster, read_line
from tests.system.support_context import CARRIERS, cluster_of_both

HOSTS = {"namespace": "host1", "instrumented": "host2"}

PROGRAM = """
import errno, os, shutil
def outcome(what, act):
    try:
        print(what, act())
    except OSError as error:
        print(what, errno.errorcode[error.errno])
C, R = os.XATTR_CREATE, os.XATTR_REPLACE
os.mkdir("d")
open("a", "w").close()
os.symlink("a", "l")
os.symlink("nothing", "n")
os.mkfifo("p")
for name in "a", "d", "l", "n", "p", "none":
    for follow in True, False:
        about = dict(follow_symlinks=follow)
        outcome(f"set {name} {follow}", lambda: os.setxattr(name, "user.x", b"1\\0", **about))
        outcome(f"get {name} {follow}", lambda: os.getxattr(name, "user.x", **about))
        outcome(f"list {name} {follow}", lambda: os.listxattr(name, **about))
        outcome(f"remove {name} {follow}", lambda: os.removexattr(name, "user.x", **about))
        outcome(f"gone {name} {follow}", lambda: os.removexattr(name, "user.x", **about))
for size in 5, 255, 256:
    name = "user.".ljust(size, "n")
    outcome(f"name of {size}", lambda: os.setxattr("d", name, b""))
    outcome(f"name of {size}", lambda: os.getxattr("d", name))
outcome("trusted", lambda: os.setxattr("l", "trusted.x", b"t", follow_symlinks=False))
outcome("trusted", lambda: [os.listxattr(x, follow_symlinks=False) for x in ("l", "a")])
for name in "", "user", "unknown.class", "trusted.":
    outcome(f"name {name}", lambda: os.setxattr("d", name, b""))
for flags in C, C, R, C | R, 8:
    outcome(f"flags {flags}", lambda: os.setxattr("a", "user.c", b"%d" % flags, flags))
outcome("replaced", lambda: os.setxattr("a", "user.none", b"", R))
outcome("too long", lambda: os.setxattr("a", "user.long", bytes(65537)))
fd = os.open("a", os.O_RDWR)
outcome("by descriptor", lambda: os.setxattr(fd, b"user.fd", b"by fd"))
os.link("a", "b")
os.rename("a", "moved")
outcome("names", lambda: [sorted(os.listxattr(x)) for x in ("b", "moved", fd)])
os.unlink("b")
os.unlink("moved")
outcome("without a name", lambda: os.setxattr(fd, "user.late", b"late"))
outcome("without a name", lambda: [os.getxattr(fd, x) for x in sorted(os.listxattr(fd))])
os.close(fd)
open("a", "w").close()
outcome("a new file", lambda: os.listxattr("a"))
before = os.stat("a")
os.setxattr("a", "user.kept", b"kept")
after = os.stat("a")
print("times", after.st_ctime_ns > before.st_ctime_ns, after.st_mtime_ns == before.st_mtime_ns)
os.setxattr("d", "user.kept", b"kept too")
shutil.copy2("a", "a2")
shutil.copytree("d", "d2")
print("copies", os.getxattr("a2", "user.kept"), os.getxattr("d2", "user.kept"))
"""

LOOKER = """
import os, sys
for _ in sys.stdin:
    changed_ns = os.stat("a").st_ctime_ns
    print(changed_ns, [(x, os.getxattr("a", x)) for x in os.listxattr("a")], flush=True)
"""


@pytest.fixture(scope="module")
def both() -> Iterator[Cluster]:
    """A host for each way."""
    cluster = cluster_of_both(2, HOSTS, {})
    cluster[1].put(f"{HOME}/program.py", PROGRAM.encode())
    cluster[1].put(f"{HOME}/looker.py", LOOKER.encode())
    yield cluster
    cluster.close()


@pytest.mark.skipif(not HAS_XATTRS, reason="the temporary directory has no extended attributes")
@pytest.mark.parametrize("carrier", CARRIERS)
def test_extended_attributes_do_and_fail_as_natively(both: Cluster, carrier: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-c", PROGRAM]
        native = subprocess.run(command, cwd=place, stdout=subprocess.PIPE, check=True)
    line = f"mkdir {carrier}; cd {carrier}; on host:{HOSTS[carrier]} python3 ../program.py"
    assert both[1].sh(line).ok().splitlines() == native.stdout.decode().splitlines()


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_change_is_seen_on_the_other_host_at_once(both: Cluster, carrier: str) -> None:
    place = f"{HOME}/seen-{carrier}"
    host, other = (1, 2) if carrier == "namespace" else (2, 1)
    both[host].sh(f"mkdir {place}; : > {place}/a").ok()
    times = []
    with both[other].shell(f"cd {place}; python3 ../looker.py") as looker:
        assert looker.stdin is not None
        for number in range(5):
            act = f"import os; os.setxattr('a', 'user.n', b'{number}')"
            both[host].sh(f'cd {place}; python3 -c "{act}"').ok()
            looker.stdin.write(b"\n")
            looker.stdin.flush()
            time, _, shown = read_line(looker.stdout).decode().partition(" ")
            assert shown == f"[('user.n', b'{number}')]\n"
            times.append(int(time))
    assert times == sorted(set(times))


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user")
@pytest.mark.parametrize("carrier", CARRIERS[1:])
def test_rights_of_the_file_count(both: Cluster, carrier: str) -> None:
    act = (
        "import os, errno\n"
        "def outcome(act):\n"
        "    try: act(); print('done')\n"
        "    except OSError as error: print(errno.errorcode[error.errno])\n"
        "open('mine', 'w').close(); os.chmod('mine', 0o444); os.setxattr('mine', 'user.x', b'')\n"
        "open('hidden', 'w').close(); os.chmod('hidden', 0o200)\n"
        "os.mkdir('sticky'); os.chmod('sticky', 0o1777)\n"
        "os.setxattr('mine', 'trusted.root', b'')\n"
        "os.setuid(65534)\n"
        "print(os.listxattr('mine'))\n"
        "outcome(lambda: os.setxattr('mine', 'user.x', b''))\n"
        "outcome(lambda: os.setxattr('mine', 'trusted.x', b''))\n"
        "outcome(lambda: os.getxattr('mine', 'user.x'))\n"
        "outcome(lambda: os.getxattr('hidden', 'user.x'))\n"
        "outcome(lambda: os.setxattr('sticky', 'user.x', b''))\n"
    )
    both[1].put(f"{HOME}/rights.py", act.encode())
    ran = both[1].sh(f"mkdir {carrier}-rights; cd {carrier}-rights; python3 ../rights.py")
    assert ran.ok() == "['user.x']\nEACCES\nEPERM\ndone\nEACCES\nEPERM\n"


def test_attributes_survive_a_restart_of_all_hosts(both: Cluster) -> None:
    act = "import os; open('a', 'w').close(); os.setxattr('a', 'user.x', bytes(65536))"
    for writer in (1, 2):
        both[writer].sh(f'mkdir kept{writer}; cd kept{writer}; python3 -c "{act}"').ok()
    both.stop()
    both.up()
    show = "import os; print(os.listxattr('a'), os.getxattr('a', 'user.x') == bytes(65536))"
    for writer, reader in ((1, 2), (2, 1)):
        ran = both[reader].sh(f'cd kept{writer}; python3 -c "{show}"')
        assert ran.ok() == "['user.x'] True\n"
