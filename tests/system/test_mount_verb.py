"""`oneos mount`: the tree for any program of a host, as it is on all; and that it always ends."""

import errno
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oneos.local.client import Client, OpenFd, OpenRemote
from oneos.local.mounted import mounts
from tests.support.namespaces import no_name_space
from tests.system.support import (
    HOME,
    ONEOS,
    Cluster,
    Host,
    one_line_error,
    read_line,
    wait_until,
)

able = os.geteuid() == 0 and os.access("/dev/fuse", os.R_OK | os.W_OK)
pytestmark = pytest.mark.skipif(not able, reason="it takes root and /dev/fuse")

SOON_S = 60.0


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "the tree"
    made.mkdir()
    yield made
    if is_mounted(made):
        subprocess.run(["umount", "-l", str(made)], check=True)


def put(host: Host, path: str, content: bytes) -> None:
    """Write a file of the tree, also where another host has it in use."""
    with Client(host.socket) as client:
        opened = client.open(path.encode(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        if isinstance(opened, OpenRemote):
            client.call("pwrite", opened.handle, 0, content)
        else:
            assert isinstance(opened, OpenFd)
            os.write(opened.fd, content)
            os.close(opened.fd)
        assert opened.handle is not None
        client.close(opened.handle)


def is_mounted(directory: Path) -> bool:
    return any(found.path == os.fsencode(directory) for found in mounts())


@contextmanager
def mounted(host: Host, directory: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """`oneos mount` meanwhile."""
    process = subprocess.Popen(
        [*ONEOS, "mount", *words, str(directory)],
        env={**os.environ, **host.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    try:
        assert b"the tree is at" in read_line(process.stdout, SOON_S), process.communicate()
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=SOON_S)


@pytest.fixture(scope="module")
def pair() -> Iterator[Cluster]:
    """Two hosts that tests may stop."""
    cluster = Cluster(2)
    yield cluster
    cluster.close()


def test_host_s_programs_use_the_tree_and_see_each_change_of_it(
    pair: Cluster, directory: Path
) -> None:
    here, there = pair.hosts
    top = directory / "home" / "alice"
    native = "instrumented" if no_name_space() else "/usr/bin/"
    with mounted(here, directory) as process:
        script = "cp /etc/passwd a && mkdir d && mv a d/b && ln -s d/b l && cmp l /etc/passwd"
        subprocess.run(["sh", "-c", script], cwd=top, check=True)
        assert there.get(f"{HOME}/d/b") == Path("/etc/passwd").read_bytes()
        # By whoever changes it: another host, a client here, a name space here, the mount itself.
        for n in range(12):
            where = f"{HOME}/changing"
            if n % 3 == 0:
                put(there, where, b"%d" % n)
            elif n % 3 == 1:
                put(here, where, b"%d" % n)
            elif native == "instrumented":
                here.sh(f"printf {n} > changing").ok()
            else:
                here.sh(f"{native}dd if=/dev/null of=seen 2>&-; {native}printf {n} > changing").ok()
            assert (top / "changing").read_text() == f"{n}"
            there.ask("unlink", where.encode())
            assert not (top / "changing").exists()
            (top / "changing").write_text(f"mine {n}")
            assert there.get(where) == b"mine %d" % n
            assert here.sh("cat changing").ok() == f"mine {n}"
            if native != "instrumented":
                assert here.sh(f"{native}cat changing").ok() == f"mine {n}"
        subprocess.run(["rm", "-r", "d", "l", "changing"], cwd=top, check=True)
        assert process.poll() is None
    assert process.returncode == 0 and not is_mounted(directory)


def test_read_only_mount_changes_nothing(pair: Cluster, directory: Path) -> None:
    with mounted(pair[1], directory, "--read-only"):
        with pytest.raises(OSError) as error:
            (directory / "tmp" / "new").write_text("x")
        assert error.value.errno == errno.EROFS
        assert "host1" in os.listdir(directory / "runtime")


def test_unmounting_says_when_it_is_in_use_and_ends_the_process(
    pair: Cluster, directory: Path
) -> None:
    with mounted(pair[1], directory) as process:
        again = pair[1].run("mount", str(directory))
        assert "mounted at" in one_line_error(again)
        with _open(directory / "tmp"):
            refused = pair[1].run("umount", str(directory))
            assert "busy" in one_line_error(refused) and is_mounted(directory)
        assert pair[1].run("umount", str(directory)).ok() == ""
        assert process.wait(timeout=SOON_S) == 0
    assert "not mounted" in one_line_error(pair[1].run("umount", str(directory)))


@contextmanager
def _open(directory: Path) -> Iterator[int]:
    fd = os.open(directory, os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)


def test_killed_mount_is_an_error_at_once_and_holds_up_no_change(
    pair: Cluster, directory: Path
) -> None:
    with mounted(pair[1], directory) as process:
        os.stat(directory / "tmp")
        process.kill()
        process.wait(timeout=SOON_S)
        wait_until(lambda: is_dead(directory), SOON_S, "it is an error")
        # Nobody waits for it.
        put(pair[2], "/tmp/after", b"x")
        put(pair[1], "/tmp/after", b"y")
    with mounted(pair[1], directory):
        assert (directory / "tmp" / "after").read_text() == "y"


def is_dead(directory: Path) -> bool:
    try:
        os.listdir(directory)
    except OSError as error:
        return error.errno in (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO)
    return False


def test_stopped_mount_shows_nothing_old(pair: Cluster, directory: Path) -> None:
    with mounted(pair[1], directory) as process:
        put(pair[2], "/tmp/held", b"old")
        assert (directory / "tmp" / "held").read_text() == "old"
        process.send_signal(signal.SIGSTOP)
        # Its kernel keeps what it cannot be told to drop: so it is ended first.
        pair[2].ask("rename", b"/tmp/held", b"/tmp/held-no-more")
        wait_until(lambda: process.poll() is not None, SOON_S, "it is ended")
        assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("end", ["down", "kill", "both"])
def test_mount_goes_with_its_runtime(pair: Cluster, directory: Path, end: str) -> None:
    host = pair[2]
    ends: dict[str, Callable[[], object]] = {
        "down": lambda: host.run("down").ok(),
        "kill": host.kill,
        "both": host.kill,
    }
    with mounted(host, directory) as process:
        os.stat(directory / "tmp")
        if end == "both":
            # What neither of them can take away, the next Runtime does.
            process.kill()
            process.wait(timeout=SOON_S)
        ends[end]()
        if end == "down":
            assert not is_mounted(directory)
        process.wait(timeout=SOON_S)
        if end != "both":
            assert process.returncode == 1
            assert not is_mounted(directory)
    host.start()
    assert not is_mounted(directory)
    wait_until(lambda: pair[1].member("host2").get("state") == "alive", SOON_S, "it is back")


def test_what_cannot_be_mounted_is_one_line(pair: Cluster, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "Not a directory" in one_line_error(pair[1].run("mount", str(tmp_path / "file")))
    outcome = pair[1].run("mount", str(tmp_path / "none"))
    assert "No such file or directory" in one_line_error(outcome)
    outcome = pair[1].run("mount", "--socket", str(tmp_path / "sock"), str(tmp_path))
    assert "no Runtime answers" in one_line_error(outcome)
