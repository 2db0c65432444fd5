"""The utilities as processes of their own: signals, pipes, full disks, and what goes on."""

import errno
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.waiting import WAIT_S
from tests.support.xattrs import HAS_XATTRS, has_xattrs
from tests.unit.bin.conftest import ENV, Result

Util = Callable[..., Result]


def command(installed: Path, *argv: str | Path) -> list[str]:
    return [sys.executable, "-I", str(installed / argv[0]), *map(str, argv[1:])]


# --- failed writes --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (["cat", "file"], 1),
        (["echo", "x"], 1),
        (["head", "file"], 1),
        (["tail", "file"], 1),
        (["wc", "file"], 1),
        (["ls"], 2),
        (["ls", "-l"], 2),
        (["grep", "a", "file"], 2),
        (["sort", "file"], 2),
        (["printf", "x"], 1),
        (["seq", "100000"], 1),
        (["pwd"], 1),
        (["env"], 125),
        (["cat", "--help"], 1),
        (["stat", "file"], 1),
        (["uniq", "file"], 1),
        (["cut", "-c", "1", "file"], 1),
        (["date"], 1),
    ],
)
def test_a_full_disk_is_reported(util: Util, tmp_path: Path, argv: list[str], status: int) -> None:
    (tmp_path / "file").write_bytes(b"abc\n" * 100)
    result = util(*argv, out="/dev/full")
    assert result.status == status
    assert result.err == f"{argv[0]}: write error: {os.strerror(errno.ENOSPC)}\n"


def test_an_error_that_only_close_tells_is_reported(installed: Path, tmp_path: Path) -> None:
    """In the tree closing commits the file, and that may fail."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os\n"
        "close = os.close\n"
        "def failing(fd):\n"
        "    close(fd)\n"
        "    if fd == 1 or fd in targets: raise OSError(5, 'Input/output error')\n"
        "opened = os.open\n"
        "targets = set()\n"
        "def watching(path, flags, *rest, **more):\n"
        "    fd = opened(path, flags, *rest, **more)\n"
        "    if flags & os.O_WRONLY: targets.add(fd)\n"
        "    return fd\n"
        "os.close, os.open = failing, watching\n"
    )
    (tmp_path / "a").write_bytes(b"data\n")

    def run(*argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(installed / argv[0]), *argv[1:]],
            cwd=tmp_path,
            env=ENV | {"PYTHONPATH": str(tmp_path)},
            input="data\n",
            capture_output=True,
            text=True,
            check=False,
        )

    for argv in (["cat", "a"], ["echo", "x"], ["wc", "a"]):
        done = run(*argv)
        assert done.returncode == 1, argv
        assert "write error: Input/output error" in done.stderr
    for argv in (["cp", "a", "b"], ["tee", "c"], ["touch", "d"]):
        done = run(*argv)
        assert done.returncode == 1, argv
        assert "Input/output error" in done.stderr
    done = run("sort", "-o", "e", "a")
    assert done.returncode == 2
    assert "Input/output error" in done.stderr


def test_output_that_was_closed_from_the_start(installed: Path) -> None:
    def close() -> None:
        os.close(1)

    quiet = subprocess.run(command(installed, "true"), preexec_fn=close, check=False)
    assert quiet.returncode == 0
    done = subprocess.run(
        command(installed, "echo", "x"), preexec_fn=close, stderr=subprocess.PIPE, check=False
    )
    assert done.returncode == 1
    assert b"Bad file descriptor" in done.stderr


# --- pipes and signals ----------------------------------------------------------------------
@pytest.mark.parametrize("argv", [["yes"], ["cat", "/dev/zero"], ["seq", "100000000"]])
def test_a_writer_dies_quietly_when_its_reader_goes(installed: Path, argv: list[str]) -> None:
    with subprocess.Popen(
        command(installed, *argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(WAIT_S) == -signal.SIGPIPE
        assert process.stderr.read() == b""


def test_an_interrupt_ends_it_as_a_signal(installed: Path) -> None:
    with subprocess.Popen(
        command(installed, "cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=-1
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"x")
        process.stdin.flush()
        # It has started when it answers.
        assert process.stdout.read(1) == b"x"
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_S) == -signal.SIGINT
        assert process.stderr.read() == b""


def test_a_pipeline_passes_every_byte(installed: Path) -> None:
    size = 50_000_000
    first = subprocess.Popen(command(installed, "cat", "/dev/zero"), stdout=subprocess.PIPE)
    second = subprocess.Popen(
        command(installed, "head", "-c", str(size)), stdin=first.stdout, stdout=subprocess.PIPE
    )
    assert first.stdout is not None and second.stdout is not None
    first.stdout.close()
    done = subprocess.run(
        command(installed, "wc", "-c"), stdin=second.stdout, capture_output=True, check=True
    )
    second.stdout.close()
    assert done.stdout == b"%d\n" % size
    assert second.wait(WAIT_S) == 0
    assert first.wait(WAIT_S) == -signal.SIGPIPE


def test_head_leaves_the_rest_to_the_next_reader(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"1\n2\n3\n")
    with (tmp_path / "f").open("rb", buffering=0) as source:
        subprocess.run(command(installed, "head", "-n", "1"), stdin=source, stdout=-1, check=True)
        assert source.read() == b"2\n3\n"


def test_each_line_passes_grep_at_once(installed: Path) -> None:
    """A slow device in front must not fill a buffer first."""
    with subprocess.Popen(
        command(installed, "grep", "a"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        for line in (b"a1\n", b"a2\n"):
            process.stdin.write(b"x\n" + line)
            process.stdin.flush()
            assert process.stdout.readline() == line
        process.stdin.close()
        assert process.wait(WAIT_S) == 0


# --- tail -f --------------------------------------------------------------------------------
def test_tail_follows_what_is_added(installed: Path, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"1\n2\n3\n")
    argv = command(installed, "tail", "-n", "1", "-s", "0.01", "-f", str(path))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"3\n"
        with path.open("ab") as log:
            log.write(b"4\n5\n")
        assert process.stdout.readline() == b"4\n"
        assert process.stdout.readline() == b"5\n"
        path.write_bytes(b"6\n")
        assert process.stdout.readline() == b"6\n"
        assert b"file truncated" in process.stderr.readline()
        process.terminate()
        assert process.wait(WAIT_S) == -signal.SIGTERM


def test_tail_follows_a_name_over_files(installed: Path, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"1\n")
    argv = command(installed, "tail", "-s", "0.01", "-F", str(path))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        (tmp_path / "new").write_bytes(b"2\n")
        (tmp_path / "new").rename(path)
        assert process.stdout.readline() == b"2\n"
        process.terminate()
        process.wait(WAIT_S)


# --- names ----------------------------------------------------------------------------------
def test_names_keep_their_bytes_in_any_encoding(installed: Path, tmp_path: Path) -> None:
    name = b"caf\xe9 \xff"
    place = os.fsencode(tmp_path)
    try:
        with open(os.path.join(place, name), "wb") as file:
            file.write(b"x\n")
    except OSError:
        pytest.skip("this file system takes no such name")
    run = subprocess.run
    listing = run(command(installed, "ls"), cwd=tmp_path, capture_output=True, check=True)
    assert listing.stdout == name + b"\n"
    argv = [os.fsencode(word) for word in command(installed, "cat")]
    assert run([*argv, name], cwd=tmp_path, capture_output=True, check=True).stdout == b"x\n"
    missing = run([*argv, name + b"2"], cwd=tmp_path, capture_output=True, check=False)
    assert missing.stderr == b"cat: " + name + b"2: No such file or directory\n"
    argv = [os.fsencode(word) for word in command(installed, "mv")]
    run([*argv, name, name + b"!"], cwd=tmp_path, check=True)
    assert os.listdir(place) == [name + b"!"]


def test_a_terminal_is_shown_no_control_characters(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "a\x1b[31mb").write_bytes(b"")
    master, slave = os.openpty()
    done = subprocess.run(command(installed, "ls"), cwd=tmp_path, stdout=slave, check=True)
    assert done.returncode == 0
    assert os.read(master, 1000) == b"a?[31mb\r\n"
    os.close(master)
    os.close(slave)


# --- times, processes, devices --------------------------------------------------------------
def test_sleep_sleeps_as_long_as_it_is_told(util: Util) -> None:
    start = time.monotonic()
    assert util("sleep", "0.05", "0.0005m").status == 0
    assert time.monotonic() - start >= 0.08


def test_deep_trees_are_copied_listed_and_removed(util: Util, tmp_path: Path) -> None:
    """Deeper than Python's usual limit on recursion, less deep than a path may be long."""
    depth = 1010
    for level in range(1, depth + 1):
        os.mkdir(tmp_path / "/".join(["a"] * level))
    assert util("cp", "-r", "a", "b").status == 0
    assert len(util("ls", "-R", "b").out.splitlines()) > depth
    assert len(util("find", "b").out.splitlines()) == depth
    assert util("du", "-s", "b").status == 0
    assert util("chmod", "-R", "u+w", "b").status == 0
    assert util("rm", "-r", "a", "b").status == 0
    assert os.listdir(tmp_path) == []


def test_kill_sends_the_signal_by_any_of_its_names(util: Util) -> None:
    for word, number in [("-9", 9), ("-KILL", 9), ("-SIGINT", 2), ("-s TERM", 15), ("", 15)]:
        with subprocess.Popen(["sleep", "1000"]) as process:
            result = util("kill", *word.split(), str(process.pid))
            assert (result.status, result.err) == (0, "")
            assert process.wait(WAIT_S) == -number


@pytest.mark.parametrize(
    ("argv", "status", "out", "err"),
    [
        (["-l", "9"], 0, b"KILL\n", ""),
        (["-l", "137"], 0, b"KILL\n", ""),
        (["-l", "term"], 0, b"15\n", ""),
        (["-l", "999"], 1, b"", "invalid signal"),
        (["-0", str(os.getpid())], 0, b"", ""),
        (["999999999"], 1, b"", "No such process"),
        (["x"], 1, b"", "invalid process id"),
        (["-FOO", "1"], 1, b"", "invalid signal"),
        ([], 1, b"", "no process ID"),
        (["-s"], 1, b"", "requires an argument"),
    ],
)
def test_kill_answers(util: Util, argv: list[str], status: int, out: bytes, err: str) -> None:
    result = util("kill", *argv)
    assert (result.status, result.out) == (status, out)
    assert err in result.err
    assert bool(result.err) == bool(err)


def process_files(proc: Path, pid: int, state: str, command: list[str], **more: str) -> None:
    """What OneOS shows of a process."""
    place = proc / str(pid)
    place.mkdir(parents=True)
    (place / "cmdline").write_bytes(b"".join(os.fsencode(word) + b"\0" for word in command))
    rows = {
        "Name": command[0],
        "State": state,
        "Pid": str(pid),
        "PPid": "1",
        "Host": "pi1",
        "User": "alice",
        "Session": "4",
        "Started": "2026-01-31T12:00:00Z",
        "Command": " ".join(command),
    } | more
    (place / "status").write_text("".join(f"{key}:\t{value}\n" for key, value in rows.items()))


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    place = tmp_path / "proc"
    process_files(place, 12, "R (running)", ["cat", "/dev/sensor/1"])
    process_files(place, 7, "R (running)", ["sh"], Host="hub", User="bob")
    process_files(place, 9, "Z (zombie)", ["false"], ExitStatus="1")
    (place / "self").symlink_to("7")
    return place


def test_ps_shows_what_runs(util: Util, proc: Path) -> None:
    result = util("ps", "--proc", "proc")
    assert result.out.decode() == (
        "PID PPID USER  HOST STATE STARTED    COMMAND\n"
        "  7    1 bob   hub  R     2026-01-31 sh\n"
        " 12    1 alice pi1  R     2026-01-31 cat /dev/sensor/1\n"
    )
    assert result.status == 0


def test_ps_shows_ended_ones_when_asked(util: Util, proc: Path) -> None:
    result = util("ps", "-e", "--proc=proc", "-o", "pid,stat,status,args=WHAT")
    assert result.out.decode() == (
        "PID STATE STATUS WHAT\n"
        "  7 R          - sh\n"
        "  9 Z          1 false\n"
        " 12 R          - cat /dev/sensor/1\n"
    )


def test_ps_picks_and_writes_json(util: Util, proc: Path) -> None:
    import json

    assert util("ps", "--proc=proc", "-p", "12", "-o", "pid=").out == b"12\n"
    assert util("ps", "--proc=proc", "-u", "bob", "-o", "pid=").out == b"7\n"
    table = json.loads(util("ps", "--proc=proc", "--json", "-a").out)
    assert [row["pid"] for row in table] == [7, 9, 12]
    assert table[1] == {
        "pid": 9,
        "ppid": 1,
        "user": "alice",
        "host": "pi1",
        "state": "Z",
        "started": "2026-01-31T12:00:00Z",
        "session": 4,
        "status": 1,
        "command": "false",
    }
    assert util("ps", "--proc=proc", "-p", "999").status == 1
    assert "unknown column" in util("ps", "--proc=proc", "-o", "nope").err


def test_ps_reads_the_kernels_own_proc_as_far_as_it_goes(util: Util) -> None:
    result = util("ps", "-p", str(os.getpid()), "-o", "pid,ppid,host", "--no-headers")
    assert result.out.split() == [b"%d" % os.getpid(), b"%d" % os.getppid(), b"-"]


def test_a_device_without_numbers_is_shown_with_a_hyphen(util: Util, tmp_path: Path) -> None:
    """So the devices of the tree look, which are no device of any one kernel."""
    try:
        os.mknod(tmp_path / "sensor", stat.S_IFCHR | 0o444, 0)
    except OSError:
        pytest.skip("only the superuser makes device nodes")
    line = util("ls", "-l", "sensor").out.decode().split()
    assert line[0] == "cr--r--r--"
    assert line[4] == "-"


def test_moving_between_file_systems_copies_and_removes(util: Util, tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("one file system only")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"data")
    os.utime(tmp_path / "d" / "f", (1_000_000, 1_000_000))
    target = other / f"oneos-test-{os.getpid()}"
    try:
        result = util("mv", "d", str(target))
        assert (result.status, result.err) == (0, "")
        assert (target / "f").read_bytes() == b"data"
        assert (target / "f").stat().st_mtime == 1_000_000
        assert not (tmp_path / "d").exists()
    finally:
        assert util("rm", "-rf", str(target)).status == 0


def test_cat_refuses_to_feed_on_its_own_output(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x\n")
    with (tmp_path / "f").open("ab") as out:
        done = subprocess.run(
            command(installed, "cat", "f"), cwd=tmp_path, stdout=out, stderr=-1, check=False
        )
    assert done.returncode == 1
    assert b"input file is output file" in done.stderr
    assert (tmp_path / "f").read_bytes() == b"x\n"


def test_sort_n_is_exact_for_numbers_of_any_length(util: Util) -> None:
    big = [b"9" * 30 + b"%d" % n for n in (3, 1, 2)] + [b"0.%s1" % (b"0" * 30), b"-5", b"0"]
    result = util("sort", "-n", stdin=b"\n".join(big) + b"\n")
    order = [big[4], big[5], big[3], big[1], big[2], big[0]]
    assert result.out == b"\n".join(order) + b"\n"


@pytest.mark.parametrize(
    "argv", [["cat", "/proc/self/status"], ["env", "sh", "-c", "cat /proc/self/status"]]
)
def test_a_utility_and_what_it_starts_ignore_no_signal(installed: Path, argv: list[str]) -> None:
    def with_all_signals() -> None:
        # Whoever runs the tests may ignore some (nohup, a shell's background).
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, signal.SIG_DFL)

    done = subprocess.run(
        command(installed, *argv), capture_output=True, check=True, preexec_fn=with_all_signals
    )
    (ignored,) = [line for line in done.stdout.splitlines() if line.startswith(b"SigIgn:")]
    assert int(ignored.split()[1], 16) == 0


@pytest.mark.skipif(not HAS_XATTRS, reason="the temporary directory has no extended attributes")
def test_cp_a_and_mv_between_file_systems_take_extended_attributes_along(
    installed: Path, tmp_path: Path
) -> None:
    original = tmp_path / "original"
    original.touch()
    os.setxattr(original, "user.x", b"1")
    original.chmod(0o444)
    for option, kept in (("-p", []), ("-a", ["user.x"]), ("--preserve=xattr", ["user.x"])):
        copied = tmp_path / f"copied{option}"
        subprocess.run(command(installed, "cp", option, original, copied), check=True)
        assert os.listxattr(copied) == kept
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        # Where that has none, as before Linux 6.6, the file goes all the same.
        subprocess.run(command(installed, "mv", original, f"{other}/moved"), check=True)
        assert os.listxattr(f"{other}/moved") == (["user.x"] if has_xattrs(other) else [])
    assert not original.exists()
