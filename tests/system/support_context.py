"""Programs of the contract (docs/context.md), each in Python and JavaScript; and hosts to run them.

Each program prints what it sees, one fact a line, in a form that does not depend on the language.
"""

import pytest

from tests.support.namespaces import no_name_space
from tests.system.support import Cluster

CARRIERS = [
    "instrumented",
    pytest.param(
        "namespace",
        marks=pytest.mark.skipif(bool(no_name_space()), reason=f"none here: {no_name_space()}"),
    ),
]
"""Both ways to keep the contract, for tests of each; one of them is not to be had everywhere."""


def cluster_of_both(count: int, hosts: dict[str, str], extra: dict[str, str]) -> Cluster:
    """A cluster with a host for each way.

    Args:
        count: of hosts.
        hosts: the host of each way.
        extra: further configuration, by host.
    """
    ways = {host: f'context = "{name}"\n' for name, host in hosts.items()}
    return Cluster(count, {host: ways.get(host, "") + extra.get(host, "") for host in ways | extra})


SELF = {
    "py": """
import os, socket, sys
print("cwd", os.getcwd())
print("arguments", sys.argv[1:])
print("ours", [name for name in os.environ if name.startswith("ONEOS")])
print("given", os.environ["GIVEN"])
print("host", socket.gethostname(), os.uname().nodename)
print("terminal", sys.stdin.isatty())
print("user", os.getuid())
""",
    "js": """
const os = require('os');
const list = (items) => `[${items.map((item) => `'${item}'`).join(', ')}]`;
console.log('cwd', process.cwd());
console.log('arguments', list(process.argv.slice(2)));
console.log('ours', list(Object.keys(process.env).filter((name) => name.startsWith('ONEOS'))));
console.log('given', process.env.GIVEN);
console.log('host', os.hostname(), os.hostname());
console.log('terminal', process.stdin.isTTY ? 'True' : 'False');
console.log('user', process.getuid());
""",
}

TERMINAL = {
    "py": """
import os, signal
def show(*_):
    # Past Python's buffer: a signal may come while that is in use.
    os.write(1, b"size %d %d\\n" % tuple(os.get_terminal_size()))
signal.signal(signal.SIGWINCH, show)
print("terminal", *map(os.isatty, (0, 1, 2)), open("/dev/tty").isatty())
show()
print("said", input())
""",
    "js": """
const fs = require('fs');
const tty = require('tty');
const shown = (yes) => (yes ? 'True' : 'False');
const show = () => console.log(`size ${process.stdout.columns} ${process.stdout.rows}`);
process.stdout.on('resize', show);
const streams = [process.stdin, process.stdout, process.stderr].map((x) => shown(x.isTTY));
console.log('terminal', ...streams, shown(tty.isatty(fs.openSync('/dev/tty', 'r'))));
show();
process.stdin.once('data', (data) => { console.log('said', String(data).trim()); process.exit(); });
""",
}

FILES = {
    "py": """
import errno, os
def outcome(what, act):
    try:
        act()
        print(what, "done")
    except OSError as error:
        print(what, errno.errorcode[error.errno])
os.mkdir("d")
with open("d/a", "w") as file:
    file.write("one")
with open("d/a", "a") as file:
    file.write("two")
with open("d/a", "r+") as file:
    file.seek(1)
    file.write("N")
print(open("d/a").read(), os.stat("d/a").st_size, os.stat("d/a").st_mode)
os.rename("d/a", "d/b")
os.truncate("d/b", 2)
os.chmod("d/b", 0o600)
os.utime("d/b", (1, 2))
about = os.stat("d/b")
print(sorted(os.listdir("d")), about.st_size, oct(about.st_mode), about.st_mtime)
outcome("missing", lambda: open("d/none"))
outcome("exclusive", lambda: os.open("d/b", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
outcome("not a directory", lambda: open("d/b/c"))
outcome("a directory", lambda: open("d", "w"))
outcome("not empty", lambda: os.rmdir("d"))
outcome("exists", lambda: os.mkdir("d"))
outcome("too long", lambda: open("n" * 256, "w"))
outcome("the host's", lambda: open("/usr/x", "w"))
os.unlink("d/b")
outcome("empty", lambda: os.rmdir("d"))
""",
    "js": """
const fs = require('fs');
const outcome = (what, act) => {
  try { act(); console.log(what, 'done'); } catch (error) { console.log(what, error.code); }
};
fs.mkdirSync('d');
fs.writeFileSync('d/a', 'one');
fs.appendFileSync('d/a', 'two');
const fd = fs.openSync('d/a', 'r+');
fs.writeSync(fd, 'N', 1);
fs.closeSync(fd);
let about = fs.statSync('d/a');
console.log(fs.readFileSync('d/a', 'utf8'), about.size, about.mode);
fs.renameSync('d/a', 'd/b');
fs.truncateSync('d/b', 2);
fs.chmodSync('d/b', 0o600);
fs.utimesSync('d/b', 1, 2);
about = fs.statSync('d/b');
const names = fs.readdirSync('d').sort().map((name) => `'${name}'`).join(', ');
console.log(`[${names}]`, about.size, `0o${about.mode.toString(8)}`, `${about.mtimeMs / 1000}.0`);
outcome('missing', () => fs.openSync('d/none'));
outcome('exclusive', () => fs.openSync('d/b', 'wx'));
outcome('not a directory', () => fs.openSync('d/b/c'));
outcome('a directory', () => fs.openSync('d', 'w'));
outcome('not empty', () => fs.rmdirSync('d'));
outcome('exists', () => fs.mkdirSync('d'));
outcome('too long', () => fs.openSync('n'.repeat(256), 'w'));
outcome("the host's", () => fs.openSync('/usr/x', 'w'));
fs.unlinkSync('d/b');
outcome('empty', () => fs.rmdirSync('d'));
""",
}

FILES_SEEN = """\
oNetwo 6 33188
['b'] 2 0o100600 2.0
missing ENOENT
exclusive EEXIST
not a directory ENOTDIR
a directory EISDIR
not empty ENOTEMPTY
exists EEXIST
too long ENAMETOOLONG
the host's EROFS
empty done
"""

STREAMS = {
    "py": """
import sys
for line in sys.stdin:
    sys.stdout.write(line.upper())
with open("/dev/null", "w") as null:
    null.write("nothing")
with open("/dev/sensor/1") as sensor:
    print(len(sensor.read()))
sys.stderr.write("to the side\\n")
sys.exit(3)
""",
    "js": """
const fs = require('fs');
process.stdout.write(fs.readFileSync(0, 'utf8').toUpperCase());
fs.writeFileSync('/dev/null', 'nothing');
console.log(fs.readFileSync('/dev/sensor/1').length);
process.stderr.write('to the side\\n');
process.exitCode = 3;
""",
}

HIDDEN = {
    "py": """
import os, sys
names = set(os.listdir("/"))
print(sorted({"bin", "dev", "etc", "home", "proc", "runtime", "tmp", "topic", "var"} - names))
for path in sys.argv[1:]:
    print(os.path.exists(path))
import tempfile
with tempfile.NamedTemporaryFile(dir="/tmp") as file:
    print(os.path.exists(file.name), file.name.startswith("/tmp/"))
""",
    "js": """
const fs = require('fs');
const names = fs.readdirSync('/');
const wanted = ['bin', 'dev', 'etc', 'home', 'proc', 'runtime', 'tmp', 'topic', 'var'];
console.log(`[${wanted.filter((name) => !names.includes(name))}]`);
const word = (value) => (value ? 'True' : 'False');
for (const path of process.argv.slice(2)) console.log(word(fs.existsSync(path)));
const made = fs.mkdtempSync('/tmp/x');
console.log(word(fs.existsSync(made)), word(made.startsWith('/tmp/')));
fs.rmdirSync(made);
""",
}

FAMILY = {
    "py": """
import os, subprocess
print(os.getpid(), flush=True)
child = subprocess.Popen(["sleep", "60"])
print(child.pid, flush=True)
print(-child.wait())
""",
    "js": """
const { spawn } = require('child_process');
const { signals } = require('os').constants;
console.log(process.pid);
const child = spawn('sleep', ['60'], { stdio: 'inherit' });
console.log(child.pid);
child.on('exit', (code, signal) => console.log(signals[signal]));
""",
}
