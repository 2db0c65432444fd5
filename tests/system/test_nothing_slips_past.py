"""An instrumented program reaches the tree, and never the host's file of the same name.

strace is the judge: whatever of a program, its children or their libraries names to the host's
kernel must not be a name that only the tree has.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import strace
from tests.system.support import HOME, Cluster

MARK = "only-in-the-tree"

PYTHON = """
import ctypes, glob, io, mmap, os, pathlib, shutil, sqlite3, ssl, subprocess, sys, tempfile, zipfile
base = os.getcwd() + "/only-in-the-tree"
def refused(act):
    try:
        act()
    except (OSError, sqlite3.Error, ImportError, ValueError) as error:
        return str(error)
os.makedirs(base + "/d/e")
os.chdir(base)
for path in ("a", base + "/b", b"c", pathlib.Path("d/f")):
    with open(path, "w") as file:
        file.write("text")
descriptor = os.open(base + "/d", os.O_RDONLY)
os.stat("f", dir_fd=descriptor); os.access("a", os.R_OK); os.lstat(b"b")
os.utime("a", (1, 2)); os.chmod("a", 0o600); os.truncate("a", 2); os.chown("a", -1, -1)
os.symlink(base + "/a", "l"); os.link("a", "h"); os.readlink("l"); os.rename("h", base + "/i")
os.replace("i", "j"); refused(lambda: os.mkfifo("p")); refused(lambda: os.getxattr("a", "user.x"))
os.fchdir(descriptor); os.chdir(base); refused(lambda: os.statvfs(base)); os.path.realpath("l")
refused(lambda: os.stat("none")); refused(lambda: open(base + "/none")); os.path.samefile("a", "l")
list(os.walk(base)); list(os.scandir(base)); glob.glob(base + "/**", recursive=True)
shutil.copytree("d", "k"); shutil.copy2("a", "m"); shutil.move("m", "n")
refused(lambda: shutil.disk_usage(base))
shutil.rmtree("k"); shutil.which("only-in-the-tree"); io.FileIO(base + "/a").close()
with tempfile.TemporaryDirectory(dir=base) as where, tempfile.NamedTemporaryFile(dir=where):
    tempfile.mkstemp(dir=where)
with open("a", "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ):
    pass
with zipfile.ZipFile("z.zip", "w") as archive:
    archive.writestr("only_zipped.py", "x = 1")
pathlib.Path("only_here.py").write_text("y = 2")
pathlib.Path("package").mkdir(); pathlib.Path("package/__init__.py").write_text("")
sys.path[:0] = [base, base + "/z.zip"]
import only_here, only_zipped, package
refused(lambda: sqlite3.connect(base + "/x.db").execute("create table t (x)"))
context = ssl.create_default_context()
refused(lambda: context.load_verify_locations(base + "/a"))
refused(lambda: context.load_verify_locations(capath=base))
refused(lambda: context.load_cert_chain(base + "/a"))
refused(lambda: setattr(context, "keylog_filename", base + "/keys"))
refused(lambda: ctypes.CDLL(base + "/none.so"))
subprocess.run(["cat", base + "/a"], cwd=base, check=True)
subprocess.run(f"cat {base}/a > {base}/out; ls {base}", shell=True, check=True)
subprocess.run([sys.executable, "-S", "-I", "-c", f"open({base!r} + '/a')"], env={}, check=True)
if os.fork() == 0:
    os.stat(base)
    os.execv(sys.executable, [sys.executable, "-c", f"import os; os.listdir({base!r})"])
os.wait()
os.chdir("/")
shutil.rmtree(base)
"""

NODE = """
const fs = require('fs'), path = require('path'), cp = require('child_process');
const base = process.cwd() + '/in-js/only-in-the-tree';
const refused = (act) => { try { act(); } catch (error) { return error.code; } };
fs.mkdirSync(base + '/d/e', { recursive: true });
process.chdir(base);
fs.writeFileSync('a', 'text'); fs.appendFileSync(base + '/a', 'more'); fs.copyFileSync('a', 'b');
fs.statSync('a'); fs.lstatSync(base); fs.accessSync('a'); fs.existsSync('none');
fs.utimesSync('a', 1, 2); fs.chmodSync('a', 0o600); fs.truncateSync('a', 2);
fs.symlinkSync(base + '/a', 'l'); fs.linkSync('a', 'h'); fs.readlinkSync('l');
fs.renameSync('h', 'i'); fs.unlinkSync('i'); fs.realpathSync('l'); fs.realpathSync.native('l');
fs.readdirSync(base, { recursive: true }); fs.opendirSync('d').closeSync();
fs.mkdtempSync(base + '/t'); fs.cpSync('d', 'k', { recursive: true });
fs.rmSync('k', { recursive: true }); refused(() => fs.readFileSync(base + '/none'));
fs.writeFileSync('only-here.js', 'module.exports = 1'); require(base + '/only-here.js');
fs.writeFileSync('only-here.mjs', 'export default 2');
fs.writeFileSync('p.json', '{"x": 1}'); require(base + '/p.json');
cp.execFileSync('cat', [base + '/a']); cp.execSync(`cat ${base}/a > ${base}/out`);
cp.execFileSync(process.execPath, ['-e', `require('fs').statSync('${base}')`], { env: {} });
(async () => {
  await fs.promises.writeFile('q', 'x'); await fs.promises.stat('q');
  await (await fs.promises.open(base + '/q')).close();
  await import(base + '/only-here.mjs');
  await new Promise((done) => fs.createReadStream('a').on('close', done).resume());
  await new Promise((done) => fs.createWriteStream('w').end('x').on('close', done));
  refused(() => fs.statfsSync(base)); refused(() => fs.watch(base).close());
  process.chdir('/');
  await fs.promises.rm(path.dirname(base), { recursive: true });
})();
"""

# Straight to the C library, which no instrumentation of Python sees.
PAST = """
import ctypes
ctypes.CDLL(None).open(b"/only-in-the-tree", 0)
"""

pytestmark = pytest.mark.skipif(not strace.AVAILABLE, reason="strace is not installed")


@pytest.fixture(scope="module")
def instrumented() -> Iterator[Cluster]:
    cluster = Cluster(1, {"host1": 'context = "instrumented"\n'})
    yield cluster
    cluster.close()


@pytest.mark.parametrize(
    ("command", "text", "slips"),
    [
        pytest.param("python3", PYTHON, set(), id="python"),
        pytest.param("node", NODE, set(), id="node"),
        pytest.param("python3", PAST, {("openat", f"/{MARK}")}, id="the judge sees what does"),
    ],
)
def test_no_name_of_the_tree_reaches_the_host(
    instrumented: Cluster, tmp_path: Path, command: str, text: str, slips: set[tuple[str, str]]
) -> None:
    host = instrumented[1]
    host.put(f"{HOME}/program", text.encode())
    runtime = host.runtime()
    assert runtime is not None
    warm = [child.pid for child in runtime.children()]
    try:
        with strace.traced([runtime.pid, *warm], tmp_path / "trace"):
            host.sh(f"{command} {HOME}/program").ok()
    except PermissionError as error:
        pytest.skip(f"nothing may be traced here: {error}")
    own = str(instrumented.directory)
    named = strace.names(tmp_path / "trace", warm)
    assert named
    assert {(call, path) for call, path in named if MARK in path and own not in path} == slips
