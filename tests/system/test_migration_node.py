"""JavaScript programs that move from host to host: nothing of what they do shows it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.namespaces import no_name_space
from tests.system.support import HOME, Cluster, Host, one_line_error, read_line, wait_until
from tests.unit.guest_node.support import nodes

pytestmark = [
    pytest.mark.skipif(bool(no_name_space()), reason=no_name_space()),
    pytest.mark.skipif(not nodes(), reason="no Node here"),
]

SOON_S = 60.0

COUNT = b"""
'use strict';
const fs = require('fs');
class Account {
  #total = 0;
  seen = new Set();
  add(n) { this.#total += n; this.seen.add(n); return this.#total; }
}
const account = new Account();
const notes = fs.openSync('/home/alice/notes.txt', 'w');
let n = 0;
const timer = setInterval(() => {
  const total = account.add(n);
  fs.writeSync(notes, `${n}\\n`);
  console.log(n, total, account.seen.size, process.pid, process.execArgv.length, process.argv[2]);
  if (++n === 200) { clearInterval(timer); fs.closeSync(notes); }
}, 20);
"""


def counted(pid: int) -> str:
    return "".join(f"{n} {n * (n + 1) // 2} {n + 1} {pid} 0 word\n" for n in range(200))


@pytest.fixture(scope="module")
def hosts() -> Iterator[Cluster]:
    cluster = Cluster(3, {f"host{n}": 'context = "namespace"\n' for n in (1, 2, 3)})
    try:
        cluster[1].put(f"{HOME}/count.js", COUNT)
        yield cluster
    finally:
        cluster.close()


def found(host: Host, command: str) -> int:
    table = [p for p in host.processes() if command in p["command"]]
    running = [p["pid"] for p in table if p["state"] == "running"]
    return running[-1] if running else 0


def test_program_moves_between_two_turns_and_its_output_and_files_are_the_same(
    hosts: Cluster,
) -> None:
    line = ("run", "--on", "host:host1", "node", f"{HOME}/count.js", "word")
    with hosts[1].begin(*line) as program:
        seen = read_line(program.stdout)
        pid = int(seen.split()[3])
        for there in ("host2", "host3", "host1"):
            assert hosts[1].run("migrate", str(pid), there).ok() == f"{pid} is on {there}\n"
            seen += read_line(program.stdout)
        rest, err = program.communicate(timeout=SOON_S)
    assert (program.returncode, err) == (0, b"")
    assert (seen + rest).decode() == counted(pid)
    assert hosts[2].get(f"{HOME}/notes.txt").decode() == "".join(f"{n}\n" for n in range(200))
