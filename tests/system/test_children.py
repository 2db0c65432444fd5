"""Programs that programs start, in a real network: true agents, and not a byte or status lost."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.programs.python.conftest import PROGRAMS
from tests.support.namespaces import no_name_space
from tests.system.support import HOME, Cluster, read_line, wait_until
from tests.system.test_processes import SOON_S, os_processes

PIPELINE = """\
import subprocess, sys
PY = sys.executable
with open("squares", "w") as out:
    one = subprocess.Popen([PY, "-c", "for n in range(20000): print(n)"], stdout=subprocess.PIPE)
    two = subprocess.Popen([PY, "-c", "import sys\\nfor l in sys.stdin: print(int(l) ** 2)"],
                           stdin=one.stdout, stdout=out)
    one.stdout.close()
    print(two.wait(), one.wait(), subprocess.call([PY, "-c", "import sys; sys.exit(7)"]))
    out.write("the end\\n")
"""

HOLDS = """\
import subprocess, sys
line = "import os, sys; print(os.getpid(), flush=True); sys.stdin.read(); sys.exit(7)"
child = subprocess.Popen([sys.executable, "-c", line])
print(child.wait())
"""

LEAVES = """\
import subprocess, sys
# Its input ends when the parent does.
late = "import sys; sys.stdin.read(); print('late')"
late += "; print('x' * 100000); sys.exit(9)"
out = open(sys.argv[1], "w") if sys.argv[1:] else sys.stdout
print("early", file=out, flush=True)
child = subprocess.Popen([sys.executable, "-c", late], stdin=subprocess.PIPE, stdout=out)
print(child.pid, file=sys.stderr, flush=True)
out.close()
"""


def entry(cluster: Cluster, pid: int) -> dict[str, object]:
    """What the process table says of a PID."""
    return next(p for p in cluster[1].processes() if p["pid"] == pid)


def ended(cluster: Cluster, pid: int) -> object:
    """The status of a process once it is known."""
    wait_until(lambda: entry(cluster, pid)["state"] == "ended", SOON_S, f"{pid} ends")
    return entry(cluster, pid)["status"]


@pytest.fixture(scope="module")
def cluster(shared: Cluster) -> Cluster:
    for name, text in (("squares.py", PIPELINE), ("holds.py", HOLDS), ("leaves.py", LEAVES)):
        shared[1].put(f"{HOME}/{name}", text.encode())
    return shared


def test_output_of_a_pipeline_of_subprocesses_is_whole_on_another_host(cluster: Cluster) -> None:
    assert cluster[1].sh("on host:host2 python3 squares.py").ok() == "0 0 7\n"

    expected = "".join(f"{n * n}\n" for n in range(20000)) + "the end\n"
    assert cluster[3].get(f"{HOME}/squares").decode() == expected


def test_ps_shows_a_child_with_its_parent_on_its_parents_host(cluster: Cluster) -> None:
    with cluster[1].shell("on host:host2 python3 holds.py") as shell:
        child = int(read_line(shell.stdout))
        row = entry(cluster, child)
        parent = cluster[3].running("python3 holds.py")[0]

        assert (row["ppid"], row["host"], row["state"]) == (parent["pid"], "host2", "running")
        assert cluster[3].sh(f"cat /proc/{child}/host").ok() == "host2\n"

        out, _ = shell.communicate(b"", timeout=SOON_S)
    assert out == b"7\n"
    assert (ended(cluster, child), ended(cluster, parent["pid"])) == (7, 0)


def test_a_signal_from_another_host_reaches_a_child_and_its_parent_learns_it(
    cluster: Cluster,
) -> None:
    with cluster[1].shell("on host:host2 python3 holds.py") as shell:
        child = int(read_line(shell.stdout))

        assert cluster[3].sh(f"kill -TERM {child}").ok() == ""

        assert read_line(shell.stdout) == b"-15\n"
    assert ended(cluster, child) == 143


def test_ctrl_c_reaches_what_a_program_started(cluster: Cluster) -> None:
    text = HOLDS.replace("sys.stdin.read()", "import signal; signal.pause()")
    cluster[1].put(f"{HOME}/pauses.py", text.encode())
    with cluster[1].shell("on host:host2 python3 pauses.py") as shell:
        child = int(read_line(shell.stdout))
        shell.send_signal(signal.SIGINT)
        _, errors = shell.communicate(timeout=SOON_S)

        assert errors.count(b"KeyboardInterrupt") == 2
    assert ended(cluster, child) == 130


@pytest.mark.parametrize("words", ["leaves.py late-1", "leaves.py > late-2"])
def test_a_child_outlives_its_parent_and_what_it_writes_then_is_kept(
    cluster: Cluster, words: str
) -> None:
    with cluster[1].shell(f"on host:host2 python3 {words}") as shell:
        pid = int(read_line(shell.stderr))
        assert shell.wait(timeout=SOON_S) == 0
    assert ended(cluster, pid) == 9

    expected = "early\nlate\n" + "x" * 100000 + "\n"
    assert cluster[3].get(f"{HOME}/{words.split()[-1]}").decode() == expected


def test_the_status_of_an_orphan_is_known(cluster: Cluster) -> None:
    with cluster[1].shell("on host:host2 python3 holds.py") as shell:
        child = int(read_line(shell.stdout))
        parent = entry(cluster, child)["ppid"]

        cluster[3].ask("kill", parent, 9)
        assert ended(cluster, int(str(parent))) == 137
        assert entry(cluster, child)["state"] == "running"

        shell.stdin.close()  # type: ignore[union-attr]
        assert ended(cluster, child) == 7


def test_a_child_writes_a_file_that_is_open_at_another_host(cluster: Cluster) -> None:
    text = (
        "import subprocess, sys\n"
        "with open('far', 'r+') as far:\n"
        "    far.write('parent\\n'); far.flush()\n"
        "    line = [sys.executable, '-c', 'print(\"child\")']\n"
        "    print(subprocess.call(line, stdout=far))\n"
    )
    cluster[1].put(f"{HOME}/far.py", text.encode())
    cluster[3].put(f"{HOME}/far", b"first\n")
    with cluster[3].shell("on host:host3 python3 -c 'f = open(\"far\"); input()'") as holder:
        wait_until(lambda: cluster[3].running("python3 -c f ="), SOON_S, "it runs")
        assert cluster[1].sh("on host:host2 python3 far.py").ok() == "0\n"
        holder.communicate(b"\n", timeout=SOON_S)

    assert cluster[1].get(f"{HOME}/far") == b"parent\nchild\n"


def test_exec_keeps_the_pid_and_the_table_shows_the_new_program(cluster: Cluster) -> None:
    line = 'import os; print(os.getpid(), flush=True); os.execlp("cat", "cat")'
    with cluster[1].shell(f"on host:host2 python3 -c '{line}'") as shell:
        pid = int(read_line(shell.stdout))
        wait_until(lambda: entry(cluster, pid)["command"] == "cat", SOON_S, "it is cat")

        out, _ = shell.communicate(b"through cat\n", timeout=SOON_S)
    assert out == b"through cat\n"
    assert ended(cluster, pid) == 0


def test_commands_of_the_tree_run_and_those_of_another_machine_are_refused_in_words(
    cluster: Cluster,
) -> None:
    # By its header a program for riscv64, which no host here is.
    text = """\
import os, subprocess
head = b"\\x7fELF\\2\\1\\1" + bytes(11) + bytes([243, 0])
open("native", "wb").write(head); os.chmod("native", 0o755)
print(subprocess.check_output(["seq", "3"]), subprocess.check_output(["/usr/bin/env", "seq", "1"]))
try:
    subprocess.run(["./native"])
except OSError as error:
    print(error.errno, "riscv64" in str(error))
for line in ("echo a | tr a b; exit 5", "./native", "no-such-program", "echo $PWD > pwd; cat pwd"):
    done = subprocess.run(line, shell=True, capture_output=True, text=True)
    print(done.returncode, repr(done.stdout))
print(os.system("exit 9") >> 8)
"""
    cluster[1].put(f"{HOME}/tries.py", text.encode())

    assert cluster[1].sh("on host:host2 python3 tries.py").ok().splitlines() == [
        "b'1\\n2\\n3\\n' b'1\\n'",
        "8 True",
        "5 'b\\n'",
        "126 ''",
        "127 ''",
        f"0 '{HOME}\\n'",
        "9",
    ]


@pytest.mark.skipif(bool(no_name_space()), reason=f"no name space: {no_name_space()}")
def test_native_children_of_instrumented_programs_work_on_the_same_tree(cluster: Cluster) -> None:
    text = """\
import os, subprocess
open("words", "w").write("b\\na\\n")
print(subprocess.check_output(["/usr/bin/sort", "words"]))
with open("sorted", "wb") as out:
    subprocess.run(["/usr/bin/sort", "words"], stdout=out, check=True)
print(open("sorted").read().split())
one = subprocess.Popen(["/usr/bin/sort"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
print(one.communicate(b"2\\n1\\n")[0], one.returncode)
print(subprocess.run(["/usr/bin/sh", "-c", "kill -9 $$"]).returncode)
sleeper = subprocess.Popen(["/usr/bin/sleep", "60"])
rows = subprocess.check_output(["ps", "-o", "pid,ppid,args"], text=True).splitlines()
mine = [row.split()[:2] for row in rows if row.endswith("/usr/bin/sleep 60")]
print(mine == [[str(sleeper.pid), str(os.getpid())]])
sleeper.terminate()
print(sleeper.wait())
"""
    cluster[1].put(f"{HOME}/natives.py", text.encode())

    assert cluster[1].sh("on host:host2 python3 natives.py").ok().splitlines() == [
        "b'a\\nb\\n'",
        "['a', 'b']",
        "b'1\\n2\\n' 0",
        "-9",
        "True",
        "-15",
    ]
    assert cluster[1].sh("cat sorted").ok() == "a\nb\n"


def test_nothing_is_left_when_parents_and_children_have_ended(cluster: Cluster) -> None:
    text = "import os\nfor _ in range(20):\n    if os.fork() == 0: os._exit(3)\nos._exit(0)\n"
    cluster[1].put(f"{HOME}/forks.py", text.encode())
    began = time.monotonic()

    cluster[1].sh("on host:host2 python3 forks.py").ok()

    rows = [p for p in cluster[1].processes() if p["command"] == "python3 forks.py"]
    assert len(rows) == 21
    assert sorted(str(ended(cluster, row["pid"])) for row in rows) == ["0"] + ["3"] * 20
    assert not os_processes(cluster, "forks.py")
    assert time.monotonic() - began < SOON_S


def test_what_a_shell_starts_has_it_as_its_parent(cluster: Cluster) -> None:
    line = "import os; os.system('sleep 555; exit 3')"
    with cluster[1].shell(f'on host:host2 python3 -c "{line}"') as shell:
        wait_until(lambda: cluster[1].running("sleep 555"), SOON_S, "it runs")
        sleeping = cluster[1].running("sleep 555")[0]
        sh = entry(cluster, sleeping["ppid"])
        assert (sh["command"], sh["host"]) == ("sh -c sleep 555; exit 3", "host2")
        assert str(entry(cluster, int(str(sh["ppid"])))["command"]).startswith("python3 -c")

        cluster[3].ask("kill", sleeping["pid"], 15)
        assert shell.wait(timeout=SOON_S) == 0
    assert ended(cluster, int(str(sh["pid"]))) == 3


def test_node_programs_start_programs(cluster: Cluster) -> None:
    text = """\
const cp = require('child_process');
const fs = require('fs');
const out = fs.openSync('by-node', 'w');
console.log(cp.execFileSync('seq', ['3']).toString().split('\\n').join(' '));
console.log(cp.spawnSync('echo a | tr a b; exit 5', { shell: true }).status);
const child = cp.spawn('python3', ['-c', 'print(open("holds.py").readline())'],
                       { stdio: ['ignore', out, 'inherit'] });
child.on('exit', (status) => {
  const parent = cp.execFileSync(process.execPath, ['-p', 'process.ppid']);
  console.log(status, parent == `${process.pid}\\n`);
  cp.spawn('sh', ['-c', 'exit 6']).on('exit', (code) => console.log(code));
});
"""
    cluster[1].put(f"{HOME}/starts.js", text.encode())

    lines = cluster[1].sh("on host:host2 node starts.js").ok().splitlines()

    assert lines == ["1 2 3 ", "5", "0 true", "6"]
    assert cluster[3].get(f"{HOME}/by-node") == b"import subprocess, sys\n\n"
    children = [p for p in cluster[1].processes() if p["command"].startswith("sh -c exit 6")]
    assert [ended(cluster, p["pid"]) for p in children] == [6]


@pytest.mark.parametrize("name", ["children", "inherited", "multi"])
def test_programs_that_start_programs_cannot_tell_the_network_from_one_host(
    cluster: Cluster, tmp_path: Path, name: str
) -> None:
    program = PROGRAMS / f"{name}.py"
    (python,) = cluster[1].sh("python3 -c 'import sys; print(sys.executable)'").ok().split()
    env = {"HOME": HOME, "PATH": "/bin", "LC_ALL": "C.UTF-8"}
    native = subprocess.run(
        [python, program], cwd=tmp_path, env=env, capture_output=True, stdin=subprocess.DEVNULL
    )
    cluster[1].put(f"{HOME}/{name}.py", program.read_bytes())
    line = f"mkdir of-{name} && cd of-{name} && export LC_ALL=C.UTF-8 && "

    outcome = cluster[1].sh(line + f"on host:host2 python3 ../{name}.py < /dev/null")

    assert outcome.text == native.stdout.decode()
    assert (outcome.err, outcome.status) == (native.stderr.decode(), native.returncode)
