"""What a program keeps of names it has looked at: used without a request, and never under another
number than it was asked for."""

import os
import subprocess
import threading

from oneos.files.kept import NAME
from oneos.guest.launch_python import command
from tests.unit.guest_python.conftest import World

SOME = 20
"""Requests that may be sent, of a hundred or fifty: what is kept holds for two seconds, which a
busy machine may need in between."""


class Running:
    """A program that evaluates what it is sent, and says what came of it."""

    TEXT = (
        "import os, sys\nprint('up', flush=True)\n"
        "for line in sys.stdin:\n"
        "    try:\n        result = eval(line)\n"
        "    except OSError as error:\n        result = type(error).__name__\n"
        "    print(result, flush=True)\n"
    )

    def __init__(self, world: World) -> None:
        assert world.server is not None
        self.server = world.server
        given = {**world.environment(), **world.server.environment(str(world.home))}
        self.process = subprocess.Popen(
            command(world.python, ["-c", self.TEXT]),
            env=given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        assert self.end() == "up"

    def begin(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")

    def end(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def __call__(self, line: str) -> str:
        self.begin(line)
        return self.end()

    def requests(self, line: str) -> list[str]:
        """Which requests a line takes."""
        before = len(self.server.requests)
        self(line)
        return [request.op for request in self.server.requests[before:]]

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.process.communicate()


def test_name_is_asked_for_once_until_the_number_changes(world: World) -> None:
    (world.inside / "file").write_bytes(b"1")
    with Running(world) as program:
        # What came before the number here may have taken long on a busy machine.
        program.server.generation.advance()
        for line in ("os.stat('file')", "os.lstat('nothing')"):
            assert program.requests(line) == ["look"]
            program.server.generation.advance()
            assert program.requests(line) == ["look"]
        (world.inside / "file").write_bytes(b"12")
        program.server.generation.advance()
        assert program("os.stat('file').st_size") == "2"
        lines = "[os.stat('file').st_size for _ in range(100)]"
        assert len(program.requests(lines)) < SOME


def test_own_change_is_seen_by_the_next_look(world: World) -> None:
    with Running(world) as program:
        assert program("os.path.exists('made')") == "False"
        program("os.mkdir('made')")
        assert program("os.path.exists('made'), 'made' in os.listdir()") == "(True, True)"
        program("os.rmdir('made')")
        assert program("os.path.exists('made'), 'made' in os.listdir()") == "(False, False)"


def test_answer_that_was_under_way_when_the_number_changed_is_not_kept(world: World) -> None:
    (world.inside / "file").write_bytes(b"1")
    with Running(world) as program:
        asked = program.server.count("look")
        gate = program.server.hold["look"] = threading.Event()
        program.begin("os.stat('file').st_size")
        assert program.server.wait_for("look", asked + 1)
        program.server.generation.advance()
        gate.set()
        assert program.end() == "1"
        assert program.requests("os.stat('file')") == ["look"]


def test_attributes_of_a_whole_directory_come_with_one_answer(world: World) -> None:
    for number in range(50):
        (world.inside / f"f{number}").write_bytes(b"x" * number)
    with Running(world) as program:
        program.server.generation.advance()
        taken = program.requests("sum(e.stat().st_size for e in os.scandir('.'))")
        assert taken[0] == "scan" and len(taken) < SOME
        # By their paths too.
        program.server.generation.advance()
        taken = program.requests("[os.path.getsize(name) for name in os.listdir()]")
        assert taken[0] == "scan" and len(taken) < SOME
        assert program("sum(os.path.getsize(name) for name in os.listdir())") == str(sum(range(50)))


def test_what_is_being_written_is_asked_for_each_time(world: World) -> None:
    with Running(world) as program:
        program("globals().update(file=open('file', 'wb', buffering=0))")
        for size in range(1, 5):
            program("file.write(b'x')")
            assert program("os.stat('file').st_size") == str(size)
            assert program(
                "[e.stat().st_size for e in os.scandir('.') if e.name == 'file'][0]"
            ) == (str(size))


def test_file_at_rest_is_opened_again_without_a_request(world: World) -> None:
    (world.inside / "file").write_bytes(b"text")
    with Running(world) as program:
        program.server.generation.advance()
        assert program("open('file').read()") == "text"
        taken = program.requests("[open('file').read() for _ in range(100)]")
        assert taken.count("open") < SOME
        # All but the times: reading sets one, in the test's own tree.
        shown = "os.fstat(os.open('file', os.O_RDONLY))[:7] == os.stat('file')[:7]"
        assert program(shown) == "True"
        program.server.generation.advance()
        assert "open" in program.requests("open('file').read()")


def test_nothing_is_kept_where_the_runtime_shares_no_number(world: World) -> None:
    assert world.server is not None
    os.unlink(os.path.join(os.path.dirname(world.server.socket_path), NAME))
    with Running(world) as program:
        for _ in range(3):
            assert program.requests("os.stat('.')") == ["look"]
            assert program.requests("os.listdir('.')") == ["scan"]
