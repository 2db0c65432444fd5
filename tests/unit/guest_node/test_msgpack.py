"""The hand-written MessagePack codec understands msgspec, and msgspec understands it."""

import os
import struct
import subprocess
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.unit.guest_node.support import nodes

CODEC = os.path.join(os.path.dirname(__file__), "../../../src/oneos/guest/node/msgpack.js")

# Reads frames, decodes each, and writes it encoded again.
ECHO = """
const { frame, decode } = require(process.argv[1]);
const input = require('fs').readFileSync(0);
const out = [];
for (let at = 0; at < input.length;) {
  const size = input.readUInt32LE(at);
  out.push(Buffer.from(frame(decode(input.subarray(at + 4, at + 4 + size)))));
  at += 4 + size;
}
process.stdout.write(Buffer.concat(out));
"""

EDGES: list[Any] = [
    None, True, False, 0, 1, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**53 - 1, 2**53,
    2**63 - 1, 2**64 - 1, -1, -32, -33, -128, -129, -(2**15), -(2**31), -(2**31) - 1, -(2**63),
    "", "a" * 31, "a" * 32, "ä" * 200, "x" * 70_000, b"", b"\xff\x00", b"b" * 255, b"b" * 256,
    b"b" * 70_000, [], list(range(15)), list(range(16)), list(range(70_000)), {}, {"k": [b"v"]},
    {str(i): i for i in range(20)}, ["open", b"/a/\xff", 577, 420], [[[[["deep"]]]]],
]  # fmt: skip

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(max_size=40)
    | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)


def _through_node(node: str, values: list[Any]) -> list[Any]:
    bodies = [msgspec.msgpack.encode(value) for value in values]
    sent = b"".join(struct.pack("<I", len(body)) + body for body in bodies)
    done = subprocess.run(
        [node, "-e", ECHO, os.path.abspath(CODEC)], input=sent, capture_output=True, timeout=60
    )
    assert done.stderr == b""
    received, at = [], 0
    while at < len(done.stdout):
        size = struct.unpack_from("<I", done.stdout, at)[0]
        received.append(msgspec.msgpack.decode(done.stdout[at + 4 : at + 4 + size]))
        at += 4 + size
    return received


def test_every_length_and_sign_survives(node: str) -> None:
    assert _through_node(node, EDGES) == EDGES


@examples(4)
@given(st.lists(VALUES, min_size=1, max_size=20))
def test_any_value_survives(values: list[Any]) -> None:
    for node in nodes()[:1]:
        assert _through_node(node, values) == values


def test_a_broken_frame_is_an_error_and_no_value(node: str) -> None:
    program = """
    const { decode } = require(process.argv[1]);
    for (const hex of ['a5', 'c4ff00', '91', 'c1', '0101', 'ce00']) {
      try { console.log(decode(Buffer.from(hex, 'hex'))); } catch (e) { console.log(e.name); }
    }
    """
    done = subprocess.run(
        [node, "-e", program, os.path.abspath(CODEC)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["RangeError"] * 6
