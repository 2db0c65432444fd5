# ruff: noqa: SIM115
"""Programs started by a program: pipes, files, statuses, signals; prints what happened."""

import os
import signal
import subprocess
import sys
import time

PY = sys.executable
FILE = "import sys; print(open(sys.argv[1]).read(), sys.argv)"
open("in-tree", "w").write("text of the tree")
os.mkdir("below")
open("below/other", "w").write("text below")

# --- subprocess ---
print(subprocess.run([PY, "-c", FILE, "in-tree", "b c"], capture_output=True, text=True))
print(subprocess.run(["python3", "-c", "print(open('in-tree').read())"], capture_output=True))
for options in ("-S", "-I", "-E", "-Es", "-sB"):
    print(options, subprocess.check_output([PY, options, "-c", FILE, "in-tree"]))
print(subprocess.run([PY, "-c", FILE, "in-tree"], env={}, capture_output=True))
print(subprocess.run([PY, "-c", "import os; print(sorted(os.environ))"], env={"A": "b"}, stdout=-1))
print(subprocess.run([PY, "-c", FILE, "other"], cwd="below", stdout=-1))
print(
    subprocess.run(
        [PY, "-c", "import os; os.chdir('..'); print(open('in-tree').read())"],
        cwd="below",
        stdout=-1,
    )
)
print(
    subprocess.run(
        [PY, "-c", "import sys; print(sys.stdin.read().upper())"],
        input="given",
        text=True,
        stdout=-1,
    )
)
print(subprocess.run([PY, "-c", "import sys; sys.exit(42)"]).returncode)
print(subprocess.run([PY, "-c", "import os; os.kill(os.getpid(), 9)"]).returncode)
try:
    subprocess.run([PY, "-c", "1/0"], check=True, stderr=subprocess.DEVNULL)
except subprocess.CalledProcessError as error:
    print(error.returncode)
print(subprocess.run("echo $HOME; exit 3", shell=True, stdout=-1))
print(subprocess.run("echo a b; cat", shell=True, input=b"line", stdout=-1))
print(subprocess.getstatusoutput("echo out; echo err >&2; exit 7"))

for what, options in (
    (["no-such-program"], {}),
    (["./no-such-program", "x"], {}),
    ([PY, "-c", ""], {"cwd": "no-such-directory"}),
    ([PY, "-c", ""], {"cwd": "in-tree"}),
    (["./in-tree"], {}),
    (["./below"], {}),
    (["below/nope/x"], {}),
    ([PY], {"executable": "nope/python"}),
):
    try:
        print(subprocess.run(what, **options))
    except OSError as error:
        print(type(error).__name__, error)

# A pipeline of three, and its statuses.
one = subprocess.Popen([PY, "-c", "for n in range(5): print(n)"], stdout=subprocess.PIPE)
two = subprocess.Popen(
    [PY, "-c", "import sys\nfor l in sys.stdin: print(int(l) ** 2)"],
    stdin=one.stdout,
    stdout=subprocess.PIPE,
)
one.stdout.close()
three = subprocess.Popen(
    [PY, "-c", "import sys; print(sum(map(int, sys.stdin))); sys.exit(5)"],
    stdin=two.stdout,
    stdout=subprocess.PIPE,
)
two.stdout.close()
print(three.communicate(), one.wait(), two.wait(), three.returncode)

# Files of the tree as standard streams.
with open("out", "w") as out, open("err", "w") as err:
    out.write("before\n")
    out.flush()
    print(
        subprocess.call(
            [PY, "-c", "import sys; print('child'); print('oops', file=sys.stderr)"],
            stdout=out,
            stderr=err,
        )
    )
print(open("out").read(), open("err").read())
with open("in-tree") as given:
    print(subprocess.check_output([PY, "-c", "import sys; print(sys.stdin.read())"], stdin=given))
print(
    subprocess.check_output(
        [PY, "-c", "import sys; print(sys.stdin.read())"], stdin=subprocess.DEVNULL
    )
)
print(
    subprocess.check_output(
        [PY, "-c", "import os; os.write(1, b'o'); os.write(2, b'e')"], stderr=subprocess.STDOUT
    )
)

# Descriptors beyond the standard ones.
r, w = os.pipe()
child = subprocess.Popen(
    [PY, "-c", "import os, sys; os.write(int(sys.argv[1]), b'passed')", str(w)], pass_fds=[w]
)
os.close(w)
print(os.read(r, 100), child.wait())
os.close(r)

# --- waiting and signals ---
nap = [PY, "-c", "import signal; print('ready', flush=True); signal.pause()"]
child = subprocess.Popen(nap, stdout=subprocess.PIPE)
print(child.stdout.readline(), child.poll(), os.waitpid(child.pid, os.WNOHANG))
child.terminate()
print(child.wait(), child.poll(), child.send_signal(0))
child.stdout.close()
try:
    os.waitpid(-1, 0)
except ChildProcessError as error:
    print(error)
try:
    os.waitpid(child.pid, 0)
except ChildProcessError as error:
    print(error)
children = [subprocess.Popen([PY, "-c", f"import sys; sys.exit({n})"]) for n in range(1, 4)]
ended = dict(os.waitpid(-1, 0) for _ in children)
print(sorted(ended) == sorted(c.pid for c in children), sorted(s >> 8 for s in ended.values()))
child = subprocess.Popen([PY, "-c", "import sys; sys.exit(9)"])
found = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
print(found.si_pid == child.pid, found.si_status, found.si_code == os.CLD_EXITED, child.wait())
child = subprocess.Popen(nap, stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
print(
    os.getpgid(child.pid) == child.pid,
    os.getsid(child.pid) == child.pid,
    os.getpgid(0) != child.pid,
)
os.killpg(os.getpgid(child.pid), signal.SIGKILL)
print(child.wait())
child.stdout.close()
try:
    os.kill(child.pid, 0)
except ProcessLookupError as error:
    print(error)
child = subprocess.Popen(nap, stdout=subprocess.PIPE, process_group=0)
child.stdout.readline()
os.kill(-child.pid, signal.SIGTERM)
print(child.wait())
child.stdout.close()
try:
    subprocess.run(nap, timeout=0.5, stdout=subprocess.DEVNULL)
except subprocess.TimeoutExpired as error:
    print(type(error).__name__)
seen = []
signal.signal(signal.SIGCHLD, lambda *_: seen.append(os.waitpid(-1, os.WNOHANG)))
child = subprocess.Popen([PY, "-c", "import sys; sys.exit(6)"])
while not seen:
    time.sleep(0.01)
print(seen[0][0] == child.pid, seen[0][1] >> 8, child.wait())
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
print(
    subprocess.check_output([PY, "-c", "import os; print(os.getppid())"]) == b"%d\n" % os.getpid()
)
pid = subprocess.Popen([PY, "-c", "import os; os._exit(os.getpid() % 7)"])
print(pid.wait() == pid.pid % 7)

# --- the calls below it ---
print(os.system("exit 5") >> 8, os.system("kill -9 $$"))
print(os.popen("echo popen").read())
print(os.spawnv(os.P_WAIT, PY, [PY, "-c", "import sys; sys.exit(11)"]))
print(
    os.spawnlp(os.P_WAIT, "python3", "python3", "-c", "print(open('in-tree').read(), flush=True)")
)
actions = [
    (os.POSIX_SPAWN_OPEN, 1, "spawned", os.O_WRONLY | os.O_CREAT, 0o640),
    (os.POSIX_SPAWN_DUP2, 1, 2),
]
line = "import os; os.write(1, b'one'); os.write(2, b'two')"
pid = os.posix_spawn(PY, [PY, "-c", line], {"X": "y"}, file_actions=actions)
print(os.waitpid(pid, 0) == (pid, 0), open("spawned").read(), oct(os.stat("spawned").st_mode))
pid = os.posix_spawnp("python3", ["python3", "-c", "import sys; sys.exit(13)"], os.environ)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
try:
    os.posix_spawn("nope", ["nope"], {})
except FileNotFoundError as error:
    print(error)
try:
    os.execv("nope", ["nope"])
except FileNotFoundError as error:
    print(error)
for wrong in ((PY, []), (PY, "x"), (PY, [""])):
    try:
        os.execv(*wrong)
    except (TypeError, ValueError) as error:
        print(type(error).__name__, error)

# --- fork and exec ---
sys.stdout.flush()
print(
    sys.flags,
    sys.flags.no_site,
    sys.flags[3:8],
    subprocess.list2cmdline(subprocess._args_from_interpreter_flags()),
)
sys.stdout.flush()
os.execl(
    PY,
    PY,
    "-c",
    "import os, sys; print(sys.argv, open('in-tree').read()); sys.exit(17)",
    str(os.getpid() > 0),
)
