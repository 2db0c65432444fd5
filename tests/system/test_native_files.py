"""What unmodified programs expect of files: promises of POSIX that tests of others found broken.

`tests/conformance/cpython.py` runs those tests.
"""

import os
import shutil

import pytest

from tests.support.namespaces import no_name_space
from tests.system.support import HOME, Cluster, Host

pytestmark = pytest.mark.skipif(bool(no_name_space()), reason=f"no name space: {no_name_space()}")


def python(host: Host, body: str) -> str:
    """What lines of Python print, run natively; `w` writes a file, `renameat2` is Linux's."""
    head = """
import ctypes, errno, os, stat
def w(path, mode="w"):
    with open(path, mode) as file:
        file.write("abc")
def renameat2(old, new, flags):
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.renameat2(-100, old, -100, new, flags)
    return errno.errorcode[ctypes.get_errno()] if done else "done"
"""
    host.put(f"{HOME}/native.py", (head + body).encode())
    return host.sh("/usr/bin/python3 native.py").ok()


def test_time_that_is_set_after_a_write_stays_and_a_write_sets_both_times(shared: Cluster) -> None:
    body = """
for n in range(20):
    w("t1")
    about = os.stat("t1")
    assert about.st_ctime_ns <= about.st_mtime_ns, about
    os.utime("t1", ns=(-5, 7))
    # The kernel is done with the file a moment after close: no late commit takes the time back.
    assert (os.stat("t1").st_atime_ns, os.stat("t1").st_mtime_ns) == (-5, 7), (n, os.stat("t1"))
    with open("t1", "a") as file:
        assert os.stat("t1").st_mtime_ns == 7
        print("more", file=file, flush=True)
        assert os.stat("t1").st_ctime_ns >= os.stat("t1").st_mtime_ns > about.st_mtime_ns
print("kept")
"""
    assert python(shared[1], body) == "kept\n"
    assert shared[2].sh("cat t1").ok() == "abcmore\n"


def test_open_file_without_a_name_takes_every_change(shared: Cluster) -> None:
    body = """
fd = os.open("u1", os.O_RDWR | os.O_CREAT)
os.write(fd, b"12345")
os.unlink("u1")
os.fchmod(fd, 0o601), os.ftruncate(fd, 2), os.utime(fd, ns=(1, 2)), os.fchown(fd, -1, -1)
about = os.fstat(fd)
print(oct(about.st_mode), about.st_size, about.st_mtime_ns, about.st_nlink, os.pread(fd, 9, 0))
"""
    assert python(shared[1], body) == "0o100601 2 2 0 b'12'\n"


def test_removed_directory_that_is_open_is_empty_and_takes_nothing(shared: Cluster) -> None:
    body = """
os.mkdir("d1")
fd = os.open("d1", os.O_RDONLY)
os.rmdir("d1")
print(os.listdir(fd), os.fstat(fd).st_nlink, stat.S_ISDIR(os.stat(".", dir_fd=fd).st_mode))
for act in os.stat, os.mkdir:
    try:
        act("x", dir_fd=fd)
    except OSError as error:
        print(errno.errorcode[error.errno])
"""
    assert python(shared[1], body) == "[] 0 True\nENOENT\nENOENT\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_programs_that_become_another_user_own_what_they_make(shared: Cluster) -> None:
    body = """
os.mkdir("o1")
os.chmod("o1", 0o1777)
w("o1/program")
os.chmod("o1/program", 0o6777)
os.chdir("o1")
if os.fork():
    os.wait()
    print(oct(os.stat("program").st_mode), sorted(os.listdir(".")), flush=True)
    os._exit(0)
os.setgroups([]), os.setgid(99), os.setuid(98)
w("file"), os.mkdir("directory"), os.symlink("x", "link")
print({(os.lstat(name).st_uid, os.lstat(name).st_gid) for name in ("file", "directory", "link")})
# Its own it may remove; of what is another's, a write takes the rights away.
os.unlink("file")
w("program", "r+")
try:
    os.unlink("program")
except PermissionError:
    print("sticky", flush=True)
"""
    assert python(shared[1], body).splitlines() == [
        "{(98, 99)}",
        "sticky",
        "0o100777 ['directory', 'link', 'program']",
    ]


def test_rename_that_must_not_replace_does_not(shared: Cluster) -> None:
    body = """
w("r1"), w("r2")
print(renameat2(b"r1", b"r2", 1), renameat2(b"r1", b"r3", 1), os.path.exists("r1"))
"""
    assert python(shared[1], body) == "EEXIST done False\n"


@pytest.mark.skipif(shutil.which("fallocate") is None, reason="fallocate is not installed")
def test_hole_is_punched(shared: Cluster) -> None:
    script = "printf 123456789 > h1; /usr/bin/fallocate -p -o 2 -l 3 h1; /usr/bin/tr '\\0' . < h1"
    assert shared[1].sh(script).ok() == "12...6789"


def test_programs_of_one_host_meet_at_a_fifo_and_at_a_socket(shared: Cluster) -> None:
    body = """
import socket
os.mkfifo("f1")
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind("s1")
    listener.listen()
    if os.fork() == 0:
        os.rename("s1", "s2")
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect("s2")
            caller.sendall(b"by socket")
        w("f1")
        os._exit(0)
    print(listener.accept()[0].recv(9), open("f1").read())
os.wait()
os.unlink("s2")
print(sorted(entry.name for entry in os.scandir(".") if stat.S_ISFIFO(entry.stat().st_mode)))
"""
    assert python(shared[1], body) == "b'by socket' abc\n['f1']\n"
    # On another host it is a FIFO too, at which the programs of that one meet.
    assert shared[2].sh("[ -p f1 ] && echo fifo").ok() == "fifo\n"
    assert shared[2].sh("cat < f1 & echo there > f1; wait").ok() == "there\n"
    assert shared[2].sh("rm f1; ls f1").status == 2
