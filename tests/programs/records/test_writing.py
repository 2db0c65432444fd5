"""Record streams as a program writes them; and that records of several writers stay whole."""

import json
import os
import random
import struct
import subprocess
from collections import Counter

import pytest

from tests.programs.records.conftest import RUN_TIMEOUT_S, Programs

BOTH = pytest.mark.parametrize("language", ["python", "node"])


@BOTH
def test_a_written_value_is_one_line_of_json(programs: Programs, language: str) -> None:
    program = {
        "python": """
            import sys
            print("before")
            print(sys.stdout.json.write({"a": [1, None, "ż"]}), file=sys.stderr)
            print("between")
            sys.stdout.json.write(None)
            sys.stderr.json.write(3)
        """,
        "node": """
            console.log('before');
            const { json } = process.stdout;
            json.write({ a: [1, null, 'ż'] }, () => console.error(21));
            console.log('between');
            process.nextTick(() => json.end(null, () => process.stderr.json.write(3)));
        """,
    }
    out, err, status = programs.run(language, program[language])
    lines = out.splitlines()
    assert (lines[0], lines[2], status) == ("before", "between", 0)
    assert [json.loads(lines[1]), json.loads(lines[3])] == [{"a": [1, None, "ż"]}, None]
    assert [int(line) for line in err.splitlines()][-1] == 3


@BOTH
def test_what_is_no_record_is_refused_at_once(programs: Programs, language: str) -> None:
    program = {
        "python": """
            import sys
            big = bytes(64 * 1024 * 1024 + 1)
            for call in (lambda: sys.stdout.json.write(float("nan")),
                         lambda: sys.stdout.json.write({1, 2}),
                         lambda: sys.stdout.segment.write("text"),
                         lambda: sys.stdout.segment.write(big),
                         lambda: next(sys.stdout.json),
                         lambda: sys.stdin.json.write(1)):
                try: call()
                except (TypeError, ValueError, AttributeError) as e: print(type(e).__name__)
        """,
        "node": """
            const big = Buffer.alloc(64 * 1024 * 1024 + 1);
            for (const call of [() => process.stdout.json.write(undefined),
                                () => process.stdout.json.write(1n),
                                () => process.stdout.segment.write(5),
                                () => process.stdout.segment.write(big),
                                () => process.stdin.json.write(1)]) {
              try { call(); } catch (e) { console.log(e.name); }
            }
        """,
    }
    out, err, status = programs.run(language, program[language])
    assert (err, status) == ("", 0)
    assert (
        " ".join(out.split())
        == {
            "python": "ValueError TypeError TypeError ValueError TypeError AttributeError",
            "node": "TypeError TypeError TypeError RangeError TypeError",
        }[language]
    )


@BOTH
def test_a_program_that_touches_none_sees_and_loads_nothing(
    programs: Programs, language: str
) -> None:
    program = {
        "python": """
            import sys
            for name in ("_oneos.records", "json", "select"): print(name in sys.modules)
        """,
        "node": """
            for (const name of ['stdin', 'stdout', 'stderr']) {
              console.log(Object.keys(process[name]).includes('json'));
            }
        """,
    }
    assert programs.run(language, program[language])[0].lower() == "false\n" * 3


def test_a_hundred_thousand_values_go_from_python_to_node(programs: Programs) -> None:
    writer = """
        import sys, random
        make = random.Random(7)
        for i in range(100_000):
            sys.stdout.json.write({"i": i, "text": "é\\n" * make.randrange(8)})
    """
    reader = """
        let next = 0, chars = 0;
        process.stdin.json.on('data', ({ i, text }) => {
          if (i !== next++) throw new Error(`${i} after ${next - 1}`);
          chars += text.length;
        }).on('end', () => console.log(next, chars));
    """
    make = random.Random(7)
    chars = sum(2 * make.randrange(8) for _ in range(100_000))
    assert joined(programs, writer, reader) == f"100000 {chars}\n"


def test_random_bytes_go_from_python_to_node_and_back(programs: Programs) -> None:
    writer = """
        import sys, random
        make = random.Random(3)
        for _ in range(2_000):
            sys.stdout.segment.write(make.randbytes(int(2 ** (make.random() * 17)) - 1))
    """
    echo = """
        const { pipeline } = require('stream/promises');
        pipeline(process.stdin.segment, process.stdout.segment);
    """
    reader = """
        import sys, random, hashlib
        make = random.Random(3)
        for number, record in enumerate(sys.stdin.segment, 1):
            assert record == make.randbytes(int(2 ** (make.random() * 17)) - 1)
        print(number)
    """
    first = programs.start("python", writer, stdout=subprocess.PIPE)
    second = programs.start("node", echo, stdin=first.stdout, stdout=subprocess.PIPE)
    third = programs.start("python", reader, stdin=second.stdout, stdout=subprocess.PIPE)
    first.stdout.close()
    second.stdout.close()
    out, _ = third.communicate(timeout=RUN_TIMEOUT_S)
    assert out == b"2000\n"
    assert [p.wait(RUN_TIMEOUT_S) for p in (first, second)] == [0, 0]


def joined(programs: Programs, writer: str, reader: str) -> str:
    first = programs.start("python", writer, stdout=subprocess.PIPE)
    second = programs.start("node", reader, stdin=first.stdout, stdout=subprocess.PIPE)
    first.stdout.close()
    out, _ = second.communicate(timeout=RUN_TIMEOUT_S)
    assert first.wait(RUN_TIMEOUT_S) == 0
    return out.decode()  # type: ignore[no-any-return]


WRITERS = {
    # Short and long ones by turns, and more than a pipe holds.
    "python": """
        import sys, threading
        def write(name):
            for i in range(60):
                sys.stdout.segment.write(name.encode() * (200_000 if i % 5 == 0 else 7))
        threads = [threading.Thread(target=write, args=(name,)) for name in sys.argv[1]]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    """,
    "node": """
        const { Worker, isMainThread, workerData } = require('worker_threads');
        const write = (name) => {
          for (let i = 0; i < 60; i++) {
            process.stdout.segment.write(name.repeat(i % 5 === 0 ? 200_000 : 7));
          }
        };
        const body = `const write = ${write}; write(require('worker_threads').workerData)`;
        const [first, ...rest] = process.argv.at(-1);
        for (const name of rest) new Worker(body, { eval: true, workerData: name });
        write(first);
    """,
}


def test_records_of_threads_workers_and_processes_stay_whole(programs: Programs) -> None:
    ours, theirs = os.pipe()
    for language, names in (("python", "ab"), ("node", "cd"), ("python", "e"), ("node", "f")):
        programs.start(language, WRITERS[language], names, stdout=theirs)
    os.close(theirs)
    seen: Counter[str] = Counter()
    with open(ours, "rb") as file:
        while head := file.read(4):
            (size,) = struct.unpack("<I", head)
            record = file.read(size)
            assert size in (7, 200_000)
            assert record == record[:1] * size
            seen[record[:1].decode()] += 1
    assert seen == dict.fromkeys("abcdef", 60)
    assert [p.wait(RUN_TIMEOUT_S) for p in programs.started] == [0, 0, 0, 0]


def test_a_writer_that_is_killed_inside_a_record_frees_the_others(programs: Programs) -> None:
    ours, theirs = os.pipe()
    stuck = programs.start(
        "python",
        "import sys; sys.stdout.segment.write(bytes(10_000_000))",
        stdout=theirs,
    )
    with open(ours, "rb", buffering=0) as file:
        file.read(4)  # It is inside its record now, and nobody reads on.
        stuck.kill()
        stuck.wait()
        other = programs.start("node", "process.stdout.segment.write('done')", stdout=theirs)
        os.close(theirs)
        left = b""
        while piece := file.read(65536):
            left += piece
    assert left.endswith(b"\4\0\0\0done")
    assert other.wait(RUN_TIMEOUT_S) == 0


@BOTH
def test_a_reader_that_has_gone_is_a_broken_pipe(programs: Programs, language: str) -> None:
    program = {
        "python": "import sys\ntry:\n    sys.stdout.json.write(1)\n"
        "except BrokenPipeError: sys.exit(7)",
        "node": "process.stdout.json.on('error', (e) => { process.exitCode = "
        "e.code === 'EPIPE' ? 7 : 1 }).write(1)",
    }
    ours, theirs = os.pipe()
    os.close(ours)
    made = programs.start(language, program[language], stdout=theirs)
    os.close(theirs)
    assert made.wait(RUN_TIMEOUT_S) == 7
