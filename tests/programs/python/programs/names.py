# ruff: noqa: SIM115
"""Everything on names: os, os.path, pathlib, shutil, glob, tempfile; prints what happened."""

import fnmatch
import glob
import os
import pathlib
import shutil
import stat
import tempfile


def attempt(text, function, *args, **kwargs):
    try:
        print(text, "->", repr(function(*args, **kwargs)))
    except Exception as error:
        names = getattr(error, "filename", None), getattr(error, "filename2", None)
        print(text, "!!", type(error).__name__, error, names)


here = os.getcwd()
print(here, os.getcwdb())
os.mkdir("d")
os.mkdir("d/e", 0o700)
os.makedirs("d/f/g/h")
os.makedirs("d/f/g/h", exist_ok=True)
for name in ("d/1.txt", "d/2.txt", "d/e/3.log", "d/f/g/4.txt"):
    with open(name, "w") as f:
        f.write(name)
print(sorted(os.listdir("d")), sorted(os.listdir(b"d")), sorted(os.listdir(here)))
with os.scandir("d") as entries:
    for entry in sorted(entries, key=lambda e: e.name):
        same = entry.inode() == os.stat(entry.path).st_ino == entry.stat().st_ino
        print(entry.name, entry.path, entry.is_dir(), entry.is_file(), entry.is_symlink(), same)
        print(repr(entry), isinstance(entry, os.DirEntry), os.fspath(entry), entry.stat().st_size)
print(sorted(e.path for e in os.scandir(b"d")), sorted(e.path for e in os.scandir()))
print(sorted((a, sorted(b), sorted(c)) for a, b, c in os.walk("d")))
print(sorted((a, sorted(b), sorted(c)) for a, b, c in os.walk(here, topdown=False)))
print(sorted((a, sorted(b), sorted(c)) for a, b, c, _ in os.fwalk("d")))
print(sorted(glob.glob("d/**/*.txt", recursive=True)), sorted(glob.glob("d/*")))
print(sorted(glob.glob("*", root_dir="d")), fnmatch.filter(os.listdir("d"), "*.txt"))

s = os.stat("d/1.txt")
print(stat.filemode(s.st_mode), s.st_size, s.st_nlink, s.st_uid, s.st_gid, s.st_mtime_ns > 10**18)
print(s.st_mtime == s.st_mtime_ns / 1e9 or abs(s.st_mtime - s.st_mtime_ns / 1e9) < 1e-3, s[6])
print(os.lstat("d").st_mode == os.stat("d").st_mode, os.path.samefile("d", "./d/../d"))
print(os.path.exists("d"), os.path.isfile("d"), os.path.isdir("d"), os.path.islink("d"))
print(os.path.lexists("nope"), os.path.exists("nope"), os.path.getsize("d/1.txt"))
print(os.path.realpath("d/../d/./e"), os.path.abspath("x"), os.path.ismount("d"))
print(os.access("d/1.txt", os.R_OK), os.access("nope", os.F_OK), os.access("d", os.X_OK))
os.chmod("d/1.txt", 0o640)
print(oct(os.stat("d/1.txt").st_mode))
os.utime("d/1.txt", (1000, 2000.5))
print(os.stat("d/1.txt").st_mtime, os.stat("d/1.txt").st_atime_ns)
os.utime("d/1.txt", ns=(5, 7))
print(os.stat("d/1.txt").st_mtime_ns)
before = os.stat("d/1.txt").st_mtime_ns
os.utime("d/1.txt")
print(os.stat("d/1.txt").st_mtime_ns > before)
os.truncate("d/1.txt", 3)
print(open("d/1.txt").read())
old = os.umask(0o077)
os.mkdir("private")
open("secret", "w").close()
print(oct(old), oct(os.stat("private").st_mode), oct(os.stat("secret").st_mode), os.umask(old))

os.rename("d/1.txt", "d/one.txt")
os.replace("d/one.txt", "d/2.txt")
os.rename("d/e", "d/E")
print(sorted(os.listdir("d")), open("d/2.txt").read())
attempt("rename over a full directory", os.rename, "d/E", "d/f")
attempt("rename a file over a directory", os.rename, "d/2.txt", "d/f")
attempt("rename a directory over a file", os.rename, "d/f", "d/2.txt")
attempt("rename into itself", os.rename, "d", "d/f/d")
attempt("rename what is not there", os.rename, "nope", "other")
attempt("mkdir again", os.mkdir, "d")
attempt("mkdir without parent", os.mkdir, "no/no")
attempt("mkdir under a file", os.mkdir, "d/2.txt/x")
attempt("rmdir of a full one", os.rmdir, "d")
attempt("rmdir of a file", os.rmdir, "d/2.txt")
attempt("rmdir of nothing", os.rmdir, "nope")
attempt("rmdir dot", os.rmdir, "d/.")
attempt("unlink a directory", os.unlink, "d")
attempt("unlink nothing", os.unlink, "nope")
attempt("remove", os.remove, pathlib.Path("nope"))
attempt("stat", os.stat, "nope")
attempt("stat bytes", os.stat, b"nope")
attempt("stat under a file", os.stat, "d/2.txt/x")
attempt("stat a long name", os.stat, "x" * 300)
attempt("stat nothing", os.stat, "")
attempt("stat NUL", os.stat, "a\0b")
attempt("stat type", os.stat, 1.5)
attempt("lstat type", os.lstat, None)
attempt("listdir", os.listdir, "nope")
attempt("listdir of a file", os.listdir, "d/2.txt")
attempt("scandir", os.scandir, "nope")
attempt("readlink", os.readlink, "d")
attempt("readlink", os.readlink, "nope")
attempt("chdir", os.chdir, "nope")
attempt("chdir to a file", os.chdir, "d/2.txt")
attempt("chmod", os.chmod, "nope", 0o600)
attempt("utime", os.utime, "nope")
attempt("utime both", os.utime, "d", (1, 2), ns=(1, 2))
attempt("utime bad", os.utime, "d", (1,))
attempt("truncate", os.truncate, "nope", 0)
attempt("truncate negative", os.truncate, "d/2.txt", -1)
attempt("truncate a directory", os.truncate, "d", 0)
attempt("surrogate", os.stat, "\ud800")
attempt("access type", os.access, 5.5, 0)
attempt("mkdir type", os.mkdir, None)
attempt("rename type", os.rename, None, "x")

os.chdir("d/f")
print(os.getcwd(), os.listdir(), open("../2.txt").read(), os.path.abspath("x"))
os.chdir(os.pardir)
print(os.getcwd(), os.path.exists("f/g/4.txt"), os.path.relpath("/", os.getcwd())[:2])
os.chdir(here)
os.chdir(b"d/../d")
print(os.getcwd())
os.chdir(here)
fd = os.open("d", os.O_RDONLY)
print(
    os.fstat(fd).st_ino == os.stat("d").st_ino,
    sorted(os.listdir(fd)),
    stat.S_ISDIR(os.fstat(fd).st_mode),
)
print(sorted((e.name, e.path, e.is_dir()) for e in os.scandir(fd)))
print(os.stat("2.txt", dir_fd=fd).st_size, open(os.open("2.txt", os.O_RDONLY, dir_fd=fd)).read())
os.mkdir("made", dir_fd=fd)
os.rename("made", "moved", src_dir_fd=fd, dst_dir_fd=fd)
os.rmdir("moved", dir_fd=fd)
attempt("read a directory", os.read, fd, 1)
os.fchdir(fd)
print(os.getcwd())
os.chdir(here)
os.close(fd)
attempt("closed", os.listdir, fd)
attempt("O_DIRECTORY", os.open, "d/2.txt", os.O_DIRECTORY)
attempt("open directory to write", os.open, "d", os.O_WRONLY)

p = pathlib.Path("p/q")
p.mkdir(parents=True)
(p / "t.txt").write_text("text\n")
(p / "b.bin").write_bytes(b"\0\1")
print((p / "t.txt").read_text(), (p / "b.bin").read_bytes(), p.exists(), p.is_dir(), p.is_file())
print(sorted(map(str, p.iterdir())), sorted(map(str, pathlib.Path().rglob("*.txt"))), p.resolve())
(p / "t.txt").rename(p / "u.txt")
(p / "touched").touch()
print(sorted(x.name for x in p.iterdir()), (p / "u.txt").stat().st_size, pathlib.Path.cwd())
(p / "touched").unlink()
(p / "nope").unlink(missing_ok=True)
attempt("Path.unlink", (p / "nope").unlink)
attempt("Path.open", (p / "nope").open)
attempt("Path.mkdir", p.mkdir)
attempt("Path.stat", (p / "nope").stat)

shutil.copy("d/2.txt", "copied")
shutil.copy2("d/2.txt", "p")
shutil.copytree("d", "tree")
print(sorted(os.walk("tree"))[0][0], open("tree/2.txt").read(), open("p/2.txt").read())
shutil.move("copied", "p/moved")
shutil.move("tree", "p")
print(sorted(os.listdir("p")), sorted(os.listdir("p/tree")))
shutil.rmtree("p/tree")
attempt("rmtree", shutil.rmtree, "nope")
shutil.rmtree("nope", ignore_errors=True)
print(sorted(os.listdir("p")), shutil.which("nope"))
attempt("copy", shutil.copyfile, "nope", "x")
attempt("copy to itself", shutil.copyfile, "d/2.txt", "d/2.txt")
with open("d/2.txt", "rb") as a, open("copied2", "wb") as b:
    shutil.copyfileobj(a, b)
print(open("copied2").read())
os.makedirs("x/y/z")
os.removedirs("x/y/z")
print(os.path.exists("x"))

os.environ["TMPDIR"] = os.path.join(here, "t")
os.mkdir("t")
with tempfile.TemporaryDirectory() as directory:
    print(directory.startswith(os.path.join(here, "t")), os.listdir("t") != [])
    with tempfile.NamedTemporaryFile("w+", dir=directory) as f:
        f.write("temporary")
        f.flush()
        print(open(f.name).read(), oct(os.stat(f.name).st_mode))
    with tempfile.TemporaryFile(dir=directory) as f:
        f.write(b"unnamed")
        f.seek(0)
        print(f.read(), os.listdir(directory))
    with tempfile.SpooledTemporaryFile(10) as f:
        f.write(b"x" * 20)
        f.seek(0)
        print(len(f.read()))
    fd, name = tempfile.mkstemp(dir=directory)
    os.write(fd, b"made")
    os.close(fd)
    print(open(name, "rb").read())
print(os.listdir("t"))

strange = b"\xff\xfe caf\xe9 \n"
with open(strange, "wb") as f:
    f.write(b"strange")
print(
    strange in os.listdir(b"."),
    open(os.fsdecode(strange)).read(),
    os.fsdecode(strange) in os.listdir(),
)
with open("žluťoučký kůň.txt", "w", encoding="utf-8") as f:
    f.write("ď")
print(
    sorted(glob.glob("ž*")),
    os.path.getsize("žluťoučký kůň.txt"),
    b"\xc5\xbe" in b"".join(os.listdir(b".")),
)
attempt("a strange name", open, b"\xff/x")
print(open("/dev/null").read() == "", os.path.exists("/dev/null"), open("/dev/zero", "rb").read(3))
with open(os.devnull, "w") as f:
    print(f.write("gone"))
print(
    os.path.exists("/usr"),
    os.path.isfile(os.__file__),
    "shutil.py" in os.listdir(os.path.dirname(os.__file__)),
)
print(
    os.stat in os.supports_dir_fd, os.stat in os.supports_fd, os.stat in os.supports_follow_symlinks
)
