# ruff: noqa: SIM115
"""Everything on links: os, os.path, pathlib, shutil, tempfile; prints what happened."""

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
os.makedirs("d/e")
with open("d/f", "w") as file:
    file.write("content")
os.symlink("d", "to-d")
os.symlink(os.path.join(here, "d/f"), "to-f")
os.symlink("nothing", "dangling")
os.symlink("loop", "loop")
os.symlink("../..", "d/e/up", target_is_directory=True)
os.symlink(b"d/f", b"\xff")

print(os.readlink("to-d"), os.readlink(b"\xff"), os.readlink("to-f") == here + "/d/f")
print(os.readlink(pathlib.Path("dangling")), os.path.islink("to-d"), os.path.islink("d"))
for name in ("to-d", "to-f", "dangling", "loop", "d/e/up"):
    shown = os.lstat(name)
    print(name, stat.filemode(shown.st_mode), shown.st_nlink, shown.st_size > 0)
    print(os.path.exists(name), os.path.lexists(name), os.path.isdir(name), os.path.isfile(name))
    print(os.access(name, os.F_OK), stat.S_ISLNK(os.stat(name, follow_symlinks=False).st_mode))
print(open("to-f").read(), open("to-d/f").read(), open("to-d/e/up/to-d/f").read())
print(os.path.realpath("to-d/e/up/to-f") == here + "/d/f", os.path.realpath("dangling")[-8:])
print(os.path.samefile("to-f", "d/f"), os.stat("to-d").st_ino == os.stat("d").st_ino)
print(sorted(os.listdir("to-d")), os.path.realpath("to-d/..") == here)

with os.scandir() as entries:
    for entry in sorted(entries, key=lambda entry: entry.name):
        print(entry.name, entry.is_symlink(), entry.is_dir(follow_symlinks=False))
        print(entry.is_file(follow_symlinks=False))
        attempt("is_dir", entry.is_dir)
        attempt("is_file", entry.is_file)
        print(stat.filemode(entry.stat(follow_symlinks=False).st_mode))
        attempt("stat", lambda entry=entry: entry.stat().st_ino == os.stat(entry.name).st_ino)
print(sorted((a, sorted(b), sorted(c)) for a, b, c in os.walk("."))[0])
print(len(list(os.walk("d", followlinks=False))), sorted(glob.glob("to-d/*")))

attempt("stat of nothing", os.stat, "dangling")
attempt("stat of a loop", os.stat, "loop")
attempt("open a loop", open, "loop")
attempt("beyond a file", os.stat, "to-f/x")
attempt("slash after a file", os.stat, "to-f/")
attempt("readlink of a file", os.readlink, "d/f")
attempt("readlink of nothing", os.readlink, "nope")
attempt("readlink with a slash", os.readlink, "to-d/")
attempt("symlink again", os.symlink, "x", "to-d")
attempt("symlink nowhere", os.symlink, "x", "nope/x")
attempt("symlink to ''", os.symlink, "", "empty")
attempt("symlink long", os.symlink, "x" * 5000, "long")
attempt("symlink type", os.symlink, 5, "x")
attempt("symlink type", os.symlink, "x", None)
attempt("symlink NUL", os.symlink, "a\0b", "x")
attempt("mkdir over one", os.mkdir, "dangling")
attempt("rmdir of one", os.rmdir, "to-d")
attempt("rmdir of one, slash", os.rmdir, "to-d/")
attempt("O_NOFOLLOW", os.open, "to-f", os.O_RDONLY | os.O_NOFOLLOW)
attempt("O_EXCL", os.open, "dangling", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
attempt("open x", open, "dangling", "x")
attempt("rename onto a directory", os.rename, "to-d", "d")

with open("dangling", "w") as file:
    file.write("made through a link")
print(open("nothing").read(), os.path.islink("dangling"), os.path.exists("dangling"))
os.chmod("to-f", 0o600)
print(oct(os.stat("d/f").st_mode), oct(os.lstat("to-f").st_mode))
attempt("chmod of a link", os.chmod, "to-f", 0o644, follow_symlinks=False)
os.utime("to-f", ns=(1, 2))
os.utime("to-f", ns=(3, 4), follow_symlinks=False)
print(os.stat("to-f").st_mtime_ns, os.lstat("to-f").st_mtime_ns)
os.chown("to-f", -1, os.getgid(), follow_symlinks=False)
os.lchown("dangling", -1, os.getgid())
os.truncate("to-f", 3)
print(open("d/f").read())
os.rename("to-f", "moved")
print(os.path.islink("moved"), os.path.lexists("to-f"), os.path.exists("d/f"))
os.remove("moved")
os.chdir("to-d/e/up/to-d")
print(os.getcwd() == here + "/d", os.path.exists("e"))
os.chdir(here)

os.link("d/f", "hard")
print(os.stat("hard").st_nlink, os.path.samefile("hard", "d/f"), os.path.islink("hard"))
with open("hard", "a") as file:
    file.write(" more")
print(open("d/f").read())
os.link("to-d", "soft-hard")
print(os.readlink("soft-hard"), os.lstat("to-d").st_nlink)
attempt("link of a directory", os.link, "d", "x")
attempt("link over something", os.link, "d/f", "hard")
attempt("link of nothing", os.link, "nope", "x")
attempt("link type", os.link, None, "x")
os.rename("hard", "d/f")
print(sorted(os.listdir()), os.stat("hard").st_nlink)
os.unlink("d/f")
print(open("hard").read(), os.stat("hard").st_nlink)
fd = os.open("d", os.O_RDONLY)
os.symlink("e", "sym", dir_fd=fd)
os.link("hard", "from-above", dst_dir_fd=fd)
os.link("from-above", "again", src_dir_fd=fd, dst_dir_fd=fd, follow_symlinks=False)
print(os.readlink("sym", dir_fd=fd), sorted(os.listdir(fd)), os.stat("hard").st_nlink)
os.close(fd)

path = pathlib.Path("to-d")
print(
    path.is_symlink(), path.resolve() == pathlib.Path(here, "d"), path.readlink(), path.lstat()[3]
)
pathlib.Path("p-link").symlink_to("d")
pathlib.Path("p-hard").hardlink_to("hard")
print(os.readlink("p-link"), pathlib.Path("p-hard").stat().st_nlink)
print(sorted(map(str, pathlib.Path("p-link").iterdir())))
pathlib.Path("p-link").unlink()

os.symlink("../hard", "d/rel")
shutil.copytree("d", "kept", symlinks=True)
print(sorted(os.listdir("kept")), os.readlink("kept/rel"), os.readlink("kept/e/up"))
shutil.copy("d/rel", "copied")
shutil.copy("d/rel", "copied-link", follow_symlinks=False)
shutil.copy2("d/rel", "copied-link2", follow_symlinks=False)
print(os.path.islink("copied"), os.readlink("copied-link"), os.readlink("copied-link2"))
shutil.move("copied-link", "d/moved-link")
print(os.readlink("d/moved-link"))
attempt("rmtree of a link", shutil.rmtree, "to-d")
shutil.rmtree("kept")
print(os.path.exists("d/e"), sorted(os.listdir("d")))
os.environ["TMPDIR"] = os.path.join(here, "to-d")
tempfile.tempdir = None
with tempfile.TemporaryDirectory() as directory:
    os.symlink(here, os.path.join(directory, "back"))
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        print(os.path.dirname(file.name) == directory, len(os.listdir(directory)))
print(sorted(os.listdir("d")), os.path.exists("hard"))
os.symlink("/dev/null", "null")
print(open("null").read() == "", os.path.islink("null"))
for name in ("null", "loop", "dangling", "d/e/up", "d/moved-link"):
    os.remove(name)
print(os.chmod in os.supports_follow_symlinks, os.link in os.supports_follow_symlinks)
