"""The tree is one: what a Python program may do, and gets as errno, on whichever host it runs."""

import json

import pytest

from tests.support.namespaces import no_name_space
from tests.system.support import HOME, Cluster, read_line, wait_until

SOON_S = 60.0

NATIVE_PYTHON = "python3" if no_name_space() else "/usr/bin/python3"
"""Runs in the name space, where there can be one."""

ERRNOS = """\
import errno, json, os, sys
# Does to a fresh directory what POSIX has an errno for, and prints what it got.
top = sys.argv[1]
os.mkdir(top)
os.chdir(top)
got = {}

def attempt(name, call, *arguments):
    try:
        call(*arguments)
        got[name] = "ok"
    except OSError as error:
        got[name] = errno.errorcode[error.errno]

def write(path, text, mode="w"):
    with open(path, mode) as file:
        file.write(text)

write("file", "content")
os.mkdir("directory")
write("directory/inner", "inner")
attempt("mkdir over a file", os.mkdir, "file")
attempt("mkdir over a directory", os.mkdir, "directory")
attempt("mkdir without its parent", os.mkdir, "nosuch/directory")
attempt("mkdir below a file", os.mkdir, "file/directory")
attempt("rmdir of what is not empty", os.rmdir, "directory")
attempt("rmdir of a file", os.rmdir, "file")
attempt("rmdir of nothing", os.rmdir, "nosuch")
attempt("unlink of a directory", os.unlink, "directory")
attempt("unlink of nothing", os.unlink, "nosuch")
attempt("open of nothing", open, "nosuch")
attempt("open below a file", open, "file/inner")
attempt("open of a directory to write", open, "directory", "w")
attempt("open of a file as a directory", os.open, "file", os.O_RDONLY | os.O_DIRECTORY)
attempt("exclusive open of a file", open, "file", "x")
attempt("exclusive open of nothing", write, "fresh", "fresh", "x")
attempt("listdir of a file", os.listdir, "file")
attempt("listdir of nothing", os.listdir, "nosuch")
attempt("chdir to a file", os.chdir, "file")
attempt("rename of nothing", os.rename, "nosuch", "other")
attempt("rename of a file over a directory", os.rename, "file", "directory")
attempt("rename of a directory over a file", os.rename, "directory", "file")
attempt("rename of a directory into itself", os.rename, "directory", "directory/below")
os.mkdir("full")
write("full/x", "x")
attempt("rename over a full directory", os.rename, "directory", "full")
attempt("rename of a file over a file", os.rename, "fresh", "file")
attempt("a name that is too long", open, "n" * 256, "w")
attempt("a symbolic link over a file", os.symlink, "directory", "file")
attempt("a hard link of a directory", os.link, "directory", "link")
attempt("a hard link into /proc", os.link, "file", "/proc/link")
os.symlink("loop", "loop")
attempt("open of a loop", open, "loop")
os.unlink("loop")
attempt("a write to /proc", write, "/proc/1/status", "x")
attempt("unlink in /proc", os.unlink, "/proc/self/status")
got["file has the renamed content"] = open("file").read()
got["listing"] = sorted(os.listdir("."))

file = open("doomed", "w+")
file.write("still here")
file.flush()
os.unlink("doomed")
got["unlinked: exists"] = os.path.exists("doomed")
file.seek(0)
got["unlinked: reads"] = file.read()
file.close()
attempt("unlinked: opens", open, "doomed")

with open("file", "r+") as file:
    file.seek(3)
    file.write("SHED")
    file.truncate(20)
got["written within, and longer"] = list(open("file", "rb").read())
os.truncate("file", 2)
got["truncated"] = open("file").read()
got["size"] = os.stat("file").st_size
with open("file", "a") as one, open("file", "a") as two:
    one.write("1"); one.flush(); two.write("2"); two.flush(); one.write("3")
got["appended in turn"] = open("file").read()
json.dump(got, sys.stdout)
"""

EXPECTED = {
    "mkdir over a file": "EEXIST",
    "mkdir over a directory": "EEXIST",
    "mkdir without its parent": "ENOENT",
    "mkdir below a file": "ENOTDIR",
    "rmdir of what is not empty": "ENOTEMPTY",
    "rmdir of a file": "ENOTDIR",
    "rmdir of nothing": "ENOENT",
    "unlink of a directory": "EISDIR",
    "unlink of nothing": "ENOENT",
    "open of nothing": "ENOENT",
    "open below a file": "ENOTDIR",
    "open of a directory to write": "EISDIR",
    "open of a file as a directory": "ENOTDIR",
    "exclusive open of a file": "EEXIST",
    "exclusive open of nothing": "ok",
    "listdir of a file": "ENOTDIR",
    "listdir of nothing": "ENOENT",
    "chdir to a file": "ENOTDIR",
    "rename of nothing": "ENOENT",
    "rename of a file over a directory": "EISDIR",
    "rename of a directory over a file": "ENOTDIR",
    "rename of a directory into itself": "EINVAL",
    "rename over a full directory": "ENOTEMPTY",
    "rename of a file over a file": "ok",
    "a name that is too long": "ENAMETOOLONG",
    "a symbolic link over a file": "EEXIST",
    "a hard link of a directory": "EPERM",
    "a hard link into /proc": "EXDEV",
    "open of a loop": "ELOOP",
    "a write to /proc": ("EACCES", "ENOENT"),
    "unlink in /proc": "EPERM",
    "file has the renamed content": "fresh",
    "listing": ["directory", "file", "full"],
    "unlinked: exists": False,
    "unlinked: reads": "still here",
    "unlinked: opens": "ENOENT",
    "written within, and longer": list(b"freSHED") + [0] * 13,
    "truncated": "fr",
    "size": 2,
    "appended in turn": "fr123",
}


@pytest.mark.parametrize("host", ["host1", "host2", "host3"])
def test_errors_are_those_of_posix_on_every_host(shared: Cluster, host: str) -> None:
    shared[1].put(f"{HOME}/errnos.py", ERRNOS.encode())

    got = json.loads(shared[1].sh(f"on host:{host} python3 errnos.py errnos-{host}").ok())

    wrong = {
        what: (got.get(what), wanted)
        for what, wanted in EXPECTED.items()
        if got.get(what) != wanted and not (isinstance(wanted, tuple) and got.get(what) in wanted)
    }
    assert not wrong, wrong
    assert shared[2].names(f"{HOME}/errnos-{host}") == ["directory", "file", "full"]


def test_what_one_host_changes_the_others_see_at_once(shared: Cluster) -> None:
    script = (
        "on host:host1 mkdir -p seen/a && on host:host2 touch seen/a/b && on host:host3 ls seen/a"
        " && on host:host1 mv seen/a seen/c && on host:host2 cat seen/c/b"
        " && on host:host3 rm seen/c/b && on host:host1 rmdir seen/c && on host:host2 ls seen"
    )

    assert shared[2].sh(script).ok() == "b\n"


def test_a_symbolic_link_of_one_host_is_followed_on_another(shared: Cluster) -> None:
    shared[1].sh(
        "mkdir -p links/deep/er; echo text > links/deep/file; cd links; ln -s deep/er short;"
        " ln -s $PWD/short/../file whole; ln -s /dev/sensor/1 sensor; ln -s later dangling;"
        " ln -s /runtime/host2 facts"
    ).ok()

    # `..` after a link is the directory above the one that it leads to.
    assert shared[2].sh("on host:host2 cat links/whole links/short/../file").ok() == "text\n" * 2
    assert shared[3].sh("on host:host3 readlink -f links/whole").ok() == f"{HOME}/links/deep/file\n"
    assert shared[3].sh("on host:host3 ls -l links/dangling").ok().endswith("dangling -> later\n")
    # Out of what the File System serves, and back into it.
    assert shared[3].sh("on host:host3 head -n 1 links/sensor").ok() == "date,temp\n"
    assert (
        shared[1].sh("cat links/facts/cores").ok() == shared[1].sh("cat /runtime/host2/cores").ok()
    )
    assert shared[1].sh("cat links/facts/../..$HOME/links/whole").ok() == "text\n"
    shared[3].sh("on host:host3 python3 -c \"open('links/dangling', 'w').write('made')\"").ok()
    assert shared[1].get(f"{HOME}/links/later") == b"made"
    node = "console.log(fs.readFileSync('links/whole', 'utf8') + fs.readlinkSync('links/dangling'))"
    assert shared[1].sh(f'on host:host2 node -e "{node}"').ok() == "text\nlater\n"
    # The shell goes by names, and its programs start where those lead.
    assert shared[2].sh("cd links/short && pwd && on host:host3 pwd && cd .. && pwd").ok() == (
        f"{HOME}/links/short\n{HOME}/links/deep/er\n{HOME}/links\n"
    )
    shared[2].sh("rm -r links").ok()


def test_names_of_one_file_share_its_content_on_every_host(shared: Cluster) -> None:
    shared[1].sh("mkdir names; echo one > names/a; ln names/a names/b").ok()

    shared[2].sh("on host:host2 sh -c 'echo two >> names/b'").ok()
    assert shared[3].sh("on host:host3 cat names/a").ok() == "one\ntwo\n"
    assert shared[3].sh("on host:host3 stat -c %h names/a").ok() == "2\n"
    shared[3].sh("on host:host3 rm names/a && on host:host1 mv names/b names/c").ok()
    assert shared[2].sh("on host:host2 cat names/c; stat -c %h names/c").ok() == "one\ntwo\n1\n"
    # In use on one host under a name that another removes: the other name keeps it.
    shared[1].put(f"{HOME}/slowly.py", WRITE_SLOWLY.encode())
    with shared[1].shell("on host:host2 python3 slowly.py names/open") as writer:
        assert writer.stdin is not None and writer.stdout is not None
        writer.stdin.write(b"first\n")
        writer.stdin.flush()
        assert read_line(writer.stdout) == b"written\n"
        shared[3].sh("on host:host3 ln names/open names/kept && rm names/open").ok()
        assert shared[1].sh("cat names/kept").ok() == "first\n"
        writer.communicate(b"last\n", timeout=SOON_S)
        assert writer.returncode == 0
    assert shared[3].sh("cat names/kept; ls names").ok() == "first\nlast\nc\nkept\n"
    shared[2].sh("rm -r names").ok()


APPEND = """\
import sys
# Appends numbered lines, each with one write, to a file that others append to as well.
path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open(path, "ab", buffering=0) as file:
    print("open", flush=True)
    sys.stdin.readline()
    for number in range(count):
        line = f"{name} {number}\\n".encode()
        assert file.write(line) == len(line)
"""


def test_hosts_that_append_to_one_file_lose_nothing(shared: Cluster) -> None:
    count = 300
    shared[1].put(f"{HOME}/append.py", APPEND.encode())
    with (
        shared[1].shell(f"on host:host1 python3 append.py both one {count}") as one,
        shared[1].shell(f"on host:host2 {NATIVE_PYTHON} append.py both two {count}") as two,
        shared[1].shell(f"on host:host3 python3 append.py both three {count}") as three,
    ):
        programs = (one, two, three)
        for program in programs:
            # All have it open before anybody writes: one is its home, two are elsewhere.
            assert program.stdout is not None and read_line(program.stdout) == b"open\n"
        for program in programs:
            assert program.stdin is not None
            program.stdin.write(b"\n")
            program.stdin.flush()
        for program in programs:
            _, errors = program.communicate(timeout=60)
            assert program.returncode == 0, errors

    for host in shared.hosts:
        lines = host.get(f"{HOME}/both").decode().splitlines()
        assert len(lines) == 3 * count
        for name in ("one", "two", "three"):
            own = [int(line.split()[1]) for line in lines if line.split()[0] == name]
            assert own == list(range(count))


WRITE_SLOWLY = """\
import sys
# Writes what it is told, a line at a time, and says when a line is in the file.
with open(sys.argv[1], "w") as file:
    for line in sys.stdin:
        file.write(line)
        file.flush()
        print("written", flush=True)
"""


def test_a_file_is_read_elsewhere_while_it_is_written(shared: Cluster) -> None:
    shared[1].put(f"{HOME}/slowly.py", WRITE_SLOWLY.encode())
    with shared[1].shell("on host:host2 python3 slowly.py growing") as writer:
        assert writer.stdin is not None and writer.stdout is not None
        text = b""
        for number in range(5):
            line = f"line {number}\n".encode()
            writer.stdin.write(line)
            writer.stdin.flush()
            assert read_line(writer.stdout) == b"written\n"
            text += line
            # Every completed write shows on the other hosts, in content and in size.
            assert shared[3].sh("on host:host3 cat growing").out == text
            assert shared[3].sh("on host:host1 stat -c %s growing").ok() == f"{len(text)}\n"
        writer.communicate(b"", timeout=SOON_S)
        assert writer.returncode == 0
    wait_until(lambda: shared[1].get(f"{HOME}/growing") == text, SOON_S, "it is committed")


def test_a_file_is_changed_within_from_another_host_while_it_is_open(shared: Cluster) -> None:
    patch = "f = open('patched', 'r+b'); f.seek(6); f.write(b'PATCH'); f.close()"
    shared[1].put(f"{HOME}/slowly.py", WRITE_SLOWLY.encode())
    with shared[1].shell("on host:host2 python3 slowly.py patched") as writer:
        assert writer.stdin is not None and writer.stdout is not None
        writer.stdin.write(b"0123456789abcdef\n")
        writer.stdin.flush()
        assert read_line(writer.stdout) == b"written\n"

        shared[3].sh(f'on host:host3 python3 -c "{patch}"').ok()

        writer.communicate(b"tail\n", timeout=SOON_S)
    assert shared[1].get(f"{HOME}/patched") == b"012345PATCHbcdef\ntail\n"


def test_a_redirection_to_a_file_in_use_elsewhere_is_kept(shared: Cluster) -> None:
    shared[1].put(f"{HOME}/slowly.py", WRITE_SLOWLY.encode())
    with shared[1].shell("on host:host2 python3 slowly.py logged") as writer:
        assert writer.stdin is not None and writer.stdout is not None
        writer.stdin.write(b"first\n")
        writer.stdin.flush()
        assert read_line(writer.stdout) == b"written\n"

        shared[3].sh("echo second >> logged; seq 1000 >> logged; wc -l < logged").ok()

        writer.communicate(b"", timeout=SOON_S)
    lines = shared[1].get(f"{HOME}/logged").decode().splitlines()
    assert lines == ["first", "second", *map(str, range(1, 1001))]


def test_modules_come_from_the_tree_on_another_host(shared: Cluster) -> None:
    shared[1].sh("mkdir -p package/inner").ok()
    shared[1].put(f"{HOME}/package/inner/__init__.py", b"word = 'from the tree'\n")
    shared[1].put(f"{HOME}/package/main.py", b"import inner\nprint(inner.word)\n")
    shared[1].put(f"{HOME}/package/part.js", b"exports.word = 'from the tree';\n")
    shared[1].put(
        f"{HOME}/package/main.js", b"console.log(require('./part').word, process.argv[2]);\n"
    )

    assert shared[1].sh("on host:host3 python3 package/main.py").ok() == "from the tree\n"
    assert shared[1].sh("on host:host2 node package/main.js x").ok() == "from the tree x\n"


def test_content_that_no_file_has_leaves_the_disks_of_all_hosts(shared: Cluster) -> None:
    def on_disk() -> int:
        return sum(
            file.stat().st_blocks * 512
            for host in shared.hosts
            for file in (host.directory / "chunks").glob("??/*")
        )

    writes = "import os; f = open('much', 'wb'); f.write(os.urandom(8 << 20)); f.close()"
    for number in (1, 2, 3):
        shared[number].sh(f'python3 -c "{writes}"').ok()
    kept = shared[1].get(f"{HOME}/much")
    before = on_disk()
    done = json.loads(shared[2].run("collect", "--json").ok())
    assert {one["host"]: one["error"] for one in done} == {"host1": "", "host2": "", "host3": ""}
    assert sum(one["bytes"] for one in done) >= 2 * 2 * (8 << 20)
    assert before - on_disk() >= 2 * 2 * (8 << 20)
    for host in shared.hosts:
        assert host.get(f"{HOME}/much") == kept
    shared[1].sh("rm much").ok()
