# ruff: noqa: SIM115
"""Opening, reading and writing in every mode; prints what happened."""

import array
import io
import os


def attempt(text, function, *args, **kwargs):
    try:
        print(text, "->", repr(function(*args, **kwargs)))
    except Exception as error:
        print(text, "!!", type(error).__name__, error, getattr(error, "filename", None))


with open("a.txt", "w") as f:
    print(f.name, f.mode, f.buffer.name, f.buffer.raw.name, f.buffer.raw.mode, f.fileno() > 2)
    print(f.write("one\n"), f.write("two\n"), f.tell())
    print(f.isatty(), f.seekable(), f.readable(), f.writable(), f.closed, f.line_buffering)
print(f.closed, open("a.txt").read())
with open("a.txt", "a") as f:
    print(f.tell())
    f.write("three\n")
with open("a.txt") as f:
    print(f.readline(), list(f))
    f.seek(0)
    print(f.read(5), f.tell(), f.seek(0, 2), f.read())
with open("a.txt", "r+") as f:
    f.write("ONE")
    f.seek(0)
    print(f.read())
    f.seek(4)
    f.truncate()
with open("a.txt", "rb") as f:
    print(f.read(), f.peek(), f.raw.tell())
with open("a.txt", "w+b") as f:
    f.write(bytes(range(256)) * 40)
    f.seek(-3, 2)
    print(f.read(), f.seek(100), f.read1(5), f.readinto(bytearray(4)), f.tell())
    f.seek(2)
    f.write(b"zz")
    f.flush()
    print(os.stat("a.txt").st_size)
    f.truncate(10)
    f.seek(0)
    print(f.read())
with open("a.txt", "ab") as f:
    f.write(b"end")
    print(f.tell())
with open("a.txt", "a+b") as f:
    print(f.tell(), f.read(), f.seek(0), f.read(3), f.write(b"!"), f.seek(0), f.read())
with open("new.txt", "x", encoding="utf-16", newline="\r\n") as f:
    f.write("é\nü\n")
print(open("new.txt", "rb").read(), open("new.txt", encoding="utf-16", newline="").read())
attempt("x again", open, "new.txt", "x")
with open("raw", "wb", buffering=0) as f:
    print(f.name, f.mode, f.write(b"12345"), f.tell(), f.closefd, repr(f))
with open("raw", "rb", buffering=0) as f:
    print(f.read(2), f.readall(), f.read(), f.seek(1), f.readinto(array.array("b", bytes(3))))
with open("raw", "r+b", 0) as f:
    print(f.truncate(2), f.seek(0, 2), f.write(b"x"), f.seek(0), f.read())
print(isinstance(f, io.FileIO), issubclass(type(f), io.FileIO), isinstance(f, io.RawIOBase))
with io.FileIO("raw", "a") as f:
    print(f.write(b"more"), f.tell(), f.mode, f.readable())
    attempt("read of a writer", f.read, 1)
with io.FileIO("raw") as f:
    print(f.readall())
    attempt("write to a reader", f.write, b"x")
attempt("closed", f.read)
attempt("closed", f.fileno)


class Mine(io.FileIO):
    def write(self, data):
        return super().write(data.upper())


with Mine("mine", "w") as f:
    print(type(f).__name__, f.write(b"shout"))
print(open("mine").read())
with open("lines", "w", buffering=1) as f:
    f.write("a line\nand a half")
    print(open("lines").read())
with open("opened", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as f:
    f.write("by an opener")
print(open("opened").read(), oct(os.stat("opened").st_mode))
fd = os.open("byfd", os.O_RDWR | os.O_CREAT)
with open(fd, "w", closefd=False) as f:
    f.write("through a descriptor")
with os.fdopen(fd, "r+") as f:
    f.seek(0)
    print(f.read())
big = b"0123456789abcdef" * 200_000
with open("big", "wb") as f:
    print(f.write(big))
with open("big", "rb") as f:
    print(f.read() == big, f.tell(), f.seek(5), f.read(3_000_000) == big[5:3_000_005])
with open("big") as f:
    print(len(f.read()), f.tell())
with open("sparse", "wb") as f:
    f.seek(100_000)
    f.write(b"x")
print(os.path.getsize("sparse"), open("sparse", "rb").read().count(0))

for mode in ("", "q", "rw", "rr", "w+a", "U", "bt", "rbt", "+", "b"):
    attempt("mode " + mode, open, "a.txt", mode)
attempt("binary encoding", open, "a.txt", "rb", encoding="ascii")
attempt("binary errors", open, "a.txt", "rb", errors="ignore")
attempt("binary newline", open, "a.txt", "rb", newline="")
attempt("newline", open, "a.txt", newline="q")
attempt("unbuffered text", open, "a.txt", buffering=0)
attempt("closefd", open, "a.txt", closefd=False)
attempt("encoding", open, "a.txt", encoding="nonsense")
attempt("type", open, 1.5)
attempt("type", open, None)
attempt("type", open, "a.txt", 5)
attempt("type", open, "a.txt", "r", "x")
attempt("nul", open, "a\0b")
attempt("empty", open, "")
attempt("directory", open, ".")
attempt("directory", open, ".", "w")
attempt("missing", open, "missing")
attempt("missing", open, b"missing")
attempt("below a file", open, "a.txt/x")
attempt("slash", open, "a.txt/")
attempt("negative", open, -1)
attempt("not open", open, 987)
attempt("opener", open, "a.txt", opener=lambda path, flags: -1)
attempt("code", io.open_code, b"a.txt")
with io.open_code(os.path.abspath("raw")) as f:
    print(type(f).__name__, f.read())
print(io.open is open, open.__name__, open.__module__)
forgotten = open("forgotten", "w")
forgotten.write("flushed at exit")
