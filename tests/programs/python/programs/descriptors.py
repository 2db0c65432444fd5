# ruff: noqa: SIM115
"""os.open and everything that takes a descriptor; prints what happened."""

import fcntl
import io
import mmap
import os
import sys


def attempt(text, function, *args, **kwargs):
    try:
        print(text, "->", repr(function(*args, **kwargs)))
    except Exception as error:
        print(text, "!!", type(error).__name__, error)


fd = os.open("a", os.O_RDWR | os.O_CREAT, 0o644)
print(fd, os.get_inheritable(fd), os.isatty(fd))
print(os.write(fd, b"hello world"), os.lseek(fd, 0, 0), os.read(fd, 5), os.lseek(fd, 0, 1))
print(
    os.pread(fd, 5, 6),
    os.pwrite(fd, b"W", 6),
    os.lseek(fd, 0, 1),
    os.lseek(fd, -2, 2),
    os.read(fd, 9),
)
print(os.writev(fd, [b"!", bytearray(b"!!")]), os.preadv(fd, [bytearray(3), bytearray(4)], 2))
buffers = [bytearray(3), bytearray(20)]
print(os.lseek(fd, 0, os.SEEK_SET), os.readv(fd, buffers), bytes(buffers[1]))
print(
    os.fstat(fd).st_size,
    os.fstat(fd).st_ino == os.stat("a").st_ino,
    os.fstat(fd).st_mode == os.stat("a").st_mode,
)
os.ftruncate(fd, 4)
print(os.fstat(fd).st_size, os.fsync(fd), os.fdatasync(fd), os.path.getsize("a"))
os.fchmod(fd, 0o600)
print(oct(os.stat("a").st_mode), oct(os.fstat(fd).st_mode))
other = os.dup(fd)
os.lseek(fd, 1, 0)
print(other > fd, os.read(other, 1), os.lseek(fd, 0, 1))
os.close(fd)
attempt("closed", os.read, fd, 1)
attempt("closed twice", os.close, fd)
attempt("closed", os.fstat, fd)
attempt("closed", os.fsync, fd)
attempt("closed", os.dup, fd)
print(os.read(other, 5), os.dup2(other, 50), os.lseek(50, 0, 0), os.read(50, 2))
os.close(other)
print(os.read(50, 9))
os.closerange(40, 60)
attempt("closed by range", os.read, 50, 1)

fd = os.open("b", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
print(os.write(fd, b"abc"), os.write(fd, b"def"), os.lseek(fd, 0, 1))
attempt("read what is for writing", os.read, fd, 1)
os.close(fd)
fd = os.open("b", os.O_RDONLY)
attempt("write what is for reading", os.write, fd, b"x")
attempt("truncate what is for reading", os.ftruncate, fd, 1)
attempt("seek before the start", os.lseek, fd, -1, 0)
attempt("seek how", os.lseek, fd, 0, 99)
attempt("pread before the start", os.pread, fd, 1, -1)
print(os.lseek(fd, 100, 0), os.read(fd, 10))
os.close(fd)
attempt("exclusive", os.open, "b", os.O_CREAT | os.O_EXCL | os.O_RDWR)
attempt("missing", os.open, "nope", os.O_RDONLY)
attempt("type", os.open, "b", "r")
attempt("type", os.close, "x")
fd = os.open("b", os.O_RDWR | os.O_TRUNC)
print(os.fstat(fd).st_size)
with os.fdopen(fd, "w+") as f:
    f.write("fdopen")
    f.seek(0)
    print(f.read(), f.name == fd, f.fileno() == fd)
attempt("closed by its file", os.fstat, fd)

source, target = os.open("b", os.O_RDONLY), os.open("c", os.O_WRONLY | os.O_CREAT)
try:
    print(os.sendfile(target, source, 0, 6))
except OSError:
    print(os.write(target, os.read(source, 6)))
os.close(source)
os.close(target)
print(open("c").read())
r, w = os.pipe()
print(r, w, os.write(w, b"pipe"), os.read(r, 9))
os.close(r)
os.close(w)

saved = os.dup(1)
sys.stdout.flush()
with open("redirected", "w") as f:
    try:
        os.dup2(f.fileno(), 1)
    except OSError:  # Not with a file that is open at another host.
        f.write("into the file\n")
    else:
        print("into the file", flush=True)
os.dup2(saved, 1)
os.close(saved)
print(open("redirected").read())
with open("locked", "w") as f:
    try:
        fcntl.flock(f, fcntl.LOCK_EX)
        fcntl.lockf(f, fcntl.LOCK_EX)
    except OSError:
        pass
f = open("c")
f2 = open(f.fileno(), closefd=False)
f2.close()
print(f.read())
f.close()
f = open("c")
os.close(f.fileno())
attempt("closed underneath", f.close)
with open("m", "w+b") as f:
    f.write(b"m" * 5000)
    f.flush()
    try:
        with mmap.mmap(f.fileno(), 0) as m:
            m[:3] = b"MAP"
    except OSError:
        f.seek(0)
        f.write(b"MAP")
print(open("m").read(5), os.stat("m").st_size)
fd = os.open("d", os.O_CREAT | os.O_RDWR)
os.posix_fallocate(fd, 0, 100)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
print(os.fstat(fd).st_size)
raw = io.FileIO(fd, "r+")
print(raw.write(b"x"), raw.tell(), raw.close())
os.closerange(3, 1024)
print(open("c").read(), os.open("c", os.O_RDONLY))
