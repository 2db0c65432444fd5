"""`oneos cp`: into the tree and out of it, whole, resumed, and what it says when it cannot."""

import json
import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from oneos.errors import FileError
from tests.system.support import HOME, ONEOS, Cluster, Host, one_line_error, wait_until

MIB = 1 << 20


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory of all that is copied."""
    top = tmp_path / "files"
    (top / "a" / "empty").mkdir(parents=True)
    (top / "a" / "big").write_bytes(os.urandom(5 * MIB + 1))
    (top / "a" / "none").write_bytes(b"")
    (top / "a" / "link").symlink_to("big")
    (top / "gone").symlink_to("nowhere")
    for n in range(40):
        (top / f"{n:02}\udcff").write_text(f"{n}")
    (top / "a" / "big").chmod(0o640)
    os.utime(top / "a" / "big", ns=(5, 1_000_000_007))
    (top / "a").chmod(0o750)
    os.utime(top / "a", ns=(5, 2_000_000_000))
    return top


def listing(top: Path) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for path in sorted(top.rglob("*")):
        about = path.lstat()
        content = os.readlink(path) if path.is_symlink() else b""
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
        mode = 0 if path.is_symlink() else about.st_mode
        found.append((str(path.relative_to(top)), mode, about.st_mtime_ns, content))
    return found


@pytest.mark.parametrize("back", [1, 2])
def test_tree_of_files_comes_back_as_it_went(
    shared: Cluster, files: Path, tmp_path: Path, back: int
) -> None:
    where = f"/tmp/cp{back}"
    assert shared[1].run("cp", "-rp", str(files), f":{where}").ok() == ""
    assert stat.S_IMODE(shared[2].ask("stat", f"{where}/a/big".encode())[0]) == 0o640
    # A directory that is there gets what is copied; one that is not becomes it.
    (tmp_path / "out").mkdir()
    shared[back].run("cp", "-rp", f":{where}", str(tmp_path / "out")).ok()
    assert listing(tmp_path / "out" / f"cp{back}") == listing(files)
    assert not [name for name in shared[1].names(where) if "oneos-part" in name]


def test_relative_path_of_the_tree_begins_at_home(shared: Cluster, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("said")
    assert shared[1].run("cp", str(tmp_path / "x"), ":cp-x").ok() == ""
    user = json.loads(shared[1].run("ps", "--json").ok() or "[]")
    assert isinstance(user, list)
    assert shared[1].run("cp", ":cp-x", str(tmp_path / "y")).ok() == ""
    assert (tmp_path / "y").read_text() == "said"


def test_interrupted_copy_says_how_to_go_on_and_does(shared: Cluster, tmp_path: Path) -> None:
    source = tmp_path / "large"
    with source.open("wb") as file:
        for _ in range(96):
            file.write(os.urandom(MIB))
    words = [*ONEOS, "cp", str(source), f":{HOME}/large"]
    half = f"{HOME}/.large.host1.oneos-part"
    with subprocess.Popen(
        words, env={**os.environ, **shared[1].env}, stderr=subprocess.PIPE, process_group=0
    ) as process:
        wait_until(lambda: size(shared[1], half) > 0 or process.poll() is not None, 60, "it began")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    # Where the copy was quicker than the signal it is there, and else what was done of it.
    assert process.returncode in (0, 130)
    assert (b"the same command goes on" in err) == (process.returncode == 130)
    assert max(size(shared[1], half), size(shared[1], f"{HOME}/large")) > 0
    report = json.loads(shared[1].run("cp", "--json", str(source), f":{HOME}/large").ok())
    assert report == {"files": 1, "bytes": 96 * MIB, "failed": [], "interrupted": False}
    assert shared[2].get(f"{HOME}/large") == source.read_bytes()
    assert size(shared[1], half) < 0


def size(host: Host, path: str) -> int:
    """The size of a file of the tree; -1: there is none."""
    try:
        found: int = host.ask("stat", path.encode())[6]
    except FileError:
        return -1
    return found


def test_each_failure_is_told_and_the_rest_is_copied(shared: Cluster, tmp_path: Path) -> None:
    top = tmp_path / "some"
    top.mkdir()
    (top / "good").write_text("good")
    os.mkfifo(top / "fifo")
    outcome = shared[1].run("cp", "-r", str(top), str(tmp_path / "none"), ":/tmp")
    assert outcome.status == 1
    first, second, last = outcome.err.splitlines()
    assert first == f"oneos: cp: {top}/fifo: is neither file, directory nor link: not copied"
    assert second == f"oneos: cp: {tmp_path}/none: No such file or directory"
    assert last == "oneos: cp: 2 could not be copied, 1 are"
    assert shared[2].get("/tmp/some/good") == b"good"
    # Nothing half is left of what the tree refuses.
    outcome = shared[1].run("cp", str(top / "good"), ":/proc/x")
    assert outcome.status == 1 and "-> :/proc/x: No such file or directory" in outcome.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a", "b"], "are both on this host"),
        ([":/a", ":/b"], "are both in the tree"),
        (["a"], "there is no DEST"),
        (["a", "b", ":/tmp/none"], "is no directory"),
    ],
)
def test_wrong_use_is_one_line_with_a_hint(shared: Cluster, words: list[str], said: str) -> None:
    outcome = shared[1].run("cp", *words)
    assert said in one_line_error(outcome) and len(outcome.err.splitlines()) == 2
