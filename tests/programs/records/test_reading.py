"""Record streams as a program reads them, in both languages."""

import base64
import json
import os
import select
import signal
import struct
import subprocess

import pytest

from tests.programs.records.conftest import RUN_TIMEOUT_S, Programs

VALUES = [None, True, 0, -1.5, "", "zażółć 🜁\n", [], {}, {"a": [1, {"b": None}]}]
SEGMENTS = [b"", b"\n", b"\0" * 5, bytes(range(256)), "zażółć".encode()]

READ_JSON = {
    "python": "import sys, json\nfor v in sys.stdin.json: print(json.dumps(v))",
    "node": "(async () => { for await (const v of process.stdin.json) "
    "console.log(JSON.stringify(v)) })()",
}
READ_SEGMENTS = {
    "python": "import sys\nfor b in sys.stdin.segment: print(b.hex())",
    "node": "process.stdin.segment.on('data', (b) => console.log(b.toString('hex')))",
}
BOTH = pytest.mark.parametrize("language", ["python", "node"])


def lines(values: list[object]) -> bytes:
    return "".join(json.dumps(v, ensure_ascii=False) + "\n" for v in values).encode()


def segments(records: list[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(record)) + record for record in records)


def in_pieces(programs: Programs, language: str, program: str, data: bytes) -> list[str]:
    """What `program` prints for `data`, given to it a byte at a time."""
    made = programs.start(
        language, program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    for byte in data:
        made.stdin.write(bytes([byte]))
    out, _ = made.communicate(timeout=RUN_TIMEOUT_S)
    assert made.returncode == 0
    return out.decode().splitlines()  # type: ignore[no-any-return]


@BOTH
def test_values_arrive_as_they_were_written(programs: Programs, language: str) -> None:
    out, err, status = programs.run(language, READ_JSON[language], stdin=lines(VALUES))
    assert (err, status) == ("", 0)
    assert [json.loads(line) for line in out.splitlines()] == VALUES


@BOTH
def test_values_that_come_byte_by_byte_are_the_same(programs: Programs, language: str) -> None:
    out = in_pieces(programs, language, READ_JSON[language], lines(VALUES))
    assert [json.loads(line) for line in out] == VALUES


@BOTH
def test_segments_that_come_byte_by_byte_are_the_same(programs: Programs, language: str) -> None:
    out = in_pieces(programs, language, READ_SEGMENTS[language], segments(SEGMENTS))
    assert [bytes.fromhex(line) for line in out] == SEGMENTS


def test_node_finds_records_whatever_two_pieces_they_come_in(programs: Programs) -> None:
    # Each split of the input, within one process: as the reader sees the pieces of a pipe.
    program = """
        const { Readable } = require('stream');
        const { json, segment } = process.stdin;
        const [text, bytes] = process.argv.slice(-2).map((x) => Buffer.from(x, 'base64'));
        async function read(Reader, pieces) {
          const found = [];
          for await (const v of new Reader(Readable.from(pieces, { objectMode: false }))) {
            found.push(v);
          }
          return JSON.stringify(found);
        }
        (async () => {
          const seen = new Set();
          for (const [reader, data] of [[json, text], [segment, bytes]]) {
            for (let i = 0; i <= data.length; i++) {
              const pieces = [data.subarray(0, i), data.subarray(i)].filter((x) => x.length);
              seen.add(await read(reader.constructor, pieces));
            }
          }
          console.log(seen.size);
        })();
    """
    words = [base64.b64encode(x).decode() for x in (lines(VALUES), segments(SEGMENTS))]
    assert programs.run("node", program, *words) == ("2\n", "", 0)


@BOTH
@pytest.mark.parametrize(
    ("data", "line", "what"),
    [
        (b"1\n{\n3\n", 2, "not JSON"),
        (b"1\n\n2\n\xff\n", 4, "not UTF-8"),
        (b"1\n2\n[3", 3, "not JSON"),
        (b"NaN\n", 1, "not JSON"),
    ],
)
def test_a_bad_line_is_named_by_its_number(
    programs: Programs, language: str, data: bytes, line: int, what: str
) -> None:
    program = {
        "python": "import sys\ntry:\n    for v in sys.stdin.json: print(v)\n"
        "except ValueError as e: print(e.number, e)\nprint(list(sys.stdin.json))",
        "node": "const r = process.stdin.json; r.on('data', (v) => console.log(v));"
        "r.on('error', (e) => { console.log(e.line, e.message); console.log('[]') })",
    }
    out, err, status = programs.run(language, program[language], stdin=data)
    assert (err, status) == ("", 0)
    assert out.splitlines()[-2].startswith(f"{line} standard input: line {line}: {what}")
    assert out.splitlines()[:-2] == data.decode(errors="replace").split()[: line - 1][:2]


@BOTH
@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\1\0", "record 1: cut off by the end of the input"),
        (b"\1\0\0\0x\2\0\0\0y", "record 2: cut off by the end of the input"),
        (b"\1\0\0\0x\1\0\0\0", "record 2: cut off by the end of the input"),
        (b"\xff\xff\xff\xff", "record 1: a record of 4294967295 bytes is too long"),
    ],
)
def test_a_damaged_segment_is_an_error(
    programs: Programs, language: str, data: bytes, what: str
) -> None:
    out, err, status = programs.run(language, READ_SEGMENTS[language], stdin=data)
    assert status == 1
    assert f"standard input: {what}" in err
    assert out.split() == (["78"] if data.startswith(b"\1\0\0\0x") else [])


def test_a_paused_node_reader_holds_the_writer_back(programs: Programs) -> None:
    count, width = 3000, 1000
    program = """
        const { json } = process.stdin;
        let seen = 0;
        json.on('data', () => { if (++seen === 1) { json.pause(); console.log('paused'); } });
        // As for any paused input, something else has to keep the program alive.
        const alive = setInterval(() => {}, 1000);
        json.on('end', () => { console.log(seen); clearInterval(alive); });
        process.on('SIGUSR1', () => json.resume());
    """
    reader = programs.start("node", program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert reader.stdin and reader.stdout
    fd = reader.stdin.fileno()
    os.set_blocking(fd, False)
    data = lines(["x" * width] * count)
    rest = memoryview(data)
    assert os.write(fd, rest[: width + 3]) == width + 3
    rest = rest[width + 3 :]
    assert reader.stdout.readline() == b"paused\n"
    while select.select([], [fd], [], 0.5)[1]:
        rest = rest[os.write(fd, rest[:65536]) :]
    assert len(rest) > len(data) // 2
    reader.send_signal(signal.SIGUSR1)
    os.set_blocking(fd, True)
    out, _ = reader.communicate(bytes(rest), timeout=RUN_TIMEOUT_S)
    assert out == b"%d\n" % count


def test_a_node_program_that_stops_reading_can_end(programs: Programs) -> None:
    made = programs.start(
        "node",
        "(async () => { for await (const v of process.stdin.json) { console.log(v); break } })()",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert made.stdin
    made.stdin.write(b"1\n2\n")
    made.stdin.flush()
    assert made.wait(RUN_TIMEOUT_S) == 0
