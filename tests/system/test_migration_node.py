"""JavaScript programs that move from host to host: nothing of what they do shows it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.namespaces import no_name_space
from tests.system.support import HOME, Cluster, Outcome, one_line_error, read_line, wait_until
from tests.system.test_migration import READY_S, SOON_S, UNFIT, can_move, found
from tests.unit.guest_node.support import nodes

pytestmark = [
    pytest.mark.skipif(bool(no_name_space()), reason=no_name_space()),
    pytest.mark.skipif(not nodes(), reason="no Node here"),
]

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


LOOK = """
'use strict';
const { Worker, isMainThread, parentPort } = require('worker_threads');
const { execFileSync } = require('child_process');
function seen() {
  let internal;
  try { require('internal/util'); } catch (error) { internal = error.code; }
  return [
    process.execArgv, process.argv.slice(2), Object.keys(require.cache).length, internal,
    process.env.NODE_OPTIONS, Object.keys(process.env).filter((name) => /ONEOS/.test(name)),
    module.children.length, process._preload_modules, process._getActiveHandles().length,
    require('module').builtinModules.filter((name) => /internal/.test(name)),
    Object.keys(globalThis), typeof internalBinding,
  ];
}
if (isMainThread) {
  const node = [process.execPath, ['-p', 'process.execArgv.length'], { stdio: 'pipe' }];
  const child = execFileSync(...node);
  const fds = execFileSync('ls', ['/proc/self/fd'], { stdio: 'pipe' });
  console.log(JSON.stringify([seen(), String(child), String(fds)]));
  new Worker(__filename).on('message', (text) => console.log(text));
} else {
  parentPort.postMessage(JSON.stringify(seen()));
}
"""


def test_program_sees_nothing_of_what_lets_it_move(hosts: Cluster, tmp_path: Path) -> None:
    script = tmp_path / "look.js"
    script.write_text(LOOK)
    natively = subprocess.run(
        [nodes()[0], script, "word"], stdin=subprocess.DEVNULL, capture_output=True, timeout=SOON_S
    )
    hosts[1].put(f"{HOME}/look.js", LOOK.encode())
    here = hosts[1].run("run", "node", f"{HOME}/look.js", "word")
    assert natively.stdout.decode().count("ERR_UNKNOWN_BUILTIN_MODULE") == 0
    assert here.ok() == natively.stdout.decode()


STAYS = [
    (
        "const c = require('child_process').spawn('sleep', ['60'], { stdio: 'ignore' });",
        "c.kill();",
        "child process",
    ),
    ("const h = require('crypto').createHash('sha1');", "", "Hash, reached as"),
    ("while (Date.now() < started + 9000);", "", "no end of a turn"),
    ("const f = require('fs').openSync('/proc/self/maps');", "f;", "no regular file"),
]


@pytest.mark.parametrize(("begin", "end", "reason"), STAYS)
def test_program_that_cannot_move_goes_on_where_it_is_and_it_is_said_why(
    hosts: Cluster, begin: str, end: str, reason: str
) -> None:
    # It is told by a file to end: no time is long enough on a machine that is busy.
    text = f"""
        const started = Date.now();
        console.log(process.pid);
        setTimeout(() => {{
          {begin}
          const timer = setInterval(() => {{
            if (!require('fs').existsSync('/home/alice/go')) return;
            clearInterval(timer);
            {end}
            console.log('done', typeof h);
          }}, 20);
        }}, 20);
    """
    hosts[1].run("sh", "-c", f"rm -f {HOME}/go")
    hosts[1].put(f"{HOME}/stays.js", text.encode())
    with hosts[1].begin("run", "--on", "host:host1", "node", f"{HOME}/stays.js") as program:
        pid = int(read_line(program.stdout))
        refused = wait_until(partial(_refused, hosts, pid, reason), SOON_S, "it is refused")
        one_line_error(refused)
        hosts[1].put(f"{HOME}/go", b"")
        rest, err = program.communicate(timeout=SOON_S)
    assert (rest.startswith(b"done"), err, program.returncode) == (True, b"", 0)


def _refused(hosts: Cluster, pid: int, reason: str) -> Outcome | None:
    # It may not have come to what cannot move; then it is there now, and tried again.
    there = "host2" if hosts[1].member("host1") and _host_of(hosts, pid) == "host1" else "host1"
    done = hosts[1].run("migrate", str(pid), there)
    return done if done.status and reason in done.err else None


def _host_of(hosts: Cluster, pid: int) -> str:
    return str(next(p["host"] for p in hosts[1].processes() if p["pid"] == pid))


NUMBERS = """
import os, time
n = 0
while not os.path.exists('/home/alice/enough'):
    for n in range(n, n + 200):
        print(n, n * n % 7919)
    n += 1
    time.sleep(0.02)
"""
SUMS = """
'use strict';
let total = 0;
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const [n, square] = line.split(' ').map(Number);
  total += square;
  process.stdout.write(`${n} ${total}\\n`);
});
"""
DIGEST = """
import sys
digest, lines = 0, 0
for line in sys.stdin:
    digest = (digest * 31 + sum(map(ord, line))) % 1000003
    lines += 1
print(lines, digest)
"""


def digest_of(lines: int) -> str:
    """What the pipeline says of so many numbers."""
    total, digest = 0, 0
    for n in range(lines):
        total += n * n % 7919
        digest = (digest * 31 + sum(map(ord, f"{n} {total}\n"))) % 1000003
    return f"{lines} {digest}\n"


@pytest.mark.skipif(bool(UNFIT) or os.getuid() != 0, reason=f"Python cannot move here: {UNFIT}")
def test_each_program_of_a_mixed_pipeline_moves_and_its_output_is_the_same(hosts: Cluster) -> None:
    for host in hosts.hosts:
        wait_until(partial(can_move, host), READY_S, f"{host.name} is ready for moves")
    programs = {"a.py": NUMBERS, "b.js": SUMS, "c.py": DIGEST}
    for name, text in programs.items():
        hosts[1].put(f"{HOME}/{name}", text.encode())
    line = "on host:host1 python3 a.py | on host:host2 node b.js | on host:host3 python3 c.py"

    def move(name: str, there: str) -> bool:
        pid = found(hosts[2], name)
        return hosts[2].run("migrate", str(pid), there).status == 0

    with hosts[2].shell(line) as pipeline:
        wait_until(lambda: found(hosts[2], "c.py"), SOON_S, "it runs")
        for places in (("host2", "host3", "host1"), ("host3", "host2", "host2")):
            for name, there in zip(programs, places, strict=True):
                # At some moments one cannot be moved; then at another.
                wait_until(partial(move, name, there), SOON_S, f"{name} is on {there}")
        hosts[1].put(f"{HOME}/enough", b"")
        out, err = pipeline.communicate(timeout=SOON_S)
    assert (pipeline.returncode, err) == (0, b"")
    assert out.decode() == digest_of(int(out.split()[0]))
