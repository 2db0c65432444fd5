"""Programs that nobody here wrote, unchanged in the name space: databases, packages, servers."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.namespaces import no_name_space
from tests.support.packages import wheel
from tests.system.support import HOME, Cluster

pytestmark = pytest.mark.skipif(bool(no_name_space()), reason=f"no name space: {no_name_space()}")

TWO_WRITERS = """
import sqlite3, subprocess, sys
code = '''import sqlite3
db = sqlite3.connect("w.db", timeout=60)
for number in range(20):
    with db:
        db.execute("insert into t values (?)", (number,))
'''
db = sqlite3.connect("w.db")
print(db.execute("pragma journal_mode=wal").fetchone())
db.execute("create table t (x)")
db.commit()
writers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
print([writer.wait() for writer in writers])
print(db.execute("select count(*), sum(x) from t").fetchone())
print(db.execute("pragma integrity_check").fetchone())
"""

SERVED = """
import subprocess, sys, urllib.request
server = subprocess.Popen(
    [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
)
port = server.stdout.readline().split("port ")[1].split()[0]
print(urllib.request.urlopen(f"http://127.0.0.1:{port}/page.txt").read())
server.terminate()
print(server.wait())
"""

MAPPED = """
import sys
import numpy
if sys.argv[1] == "write":
    array = numpy.memmap("array", dtype="<f8", mode="w+", shape=(512, 512))
    array[:] = numpy.arange(512 * 512).reshape(512, 512)
    array[7, 9] = -1
    array.flush()
    numpy.save("saved.npy", array[:2])
    array[:4].tofile("raw")
else:
    array = numpy.memmap("array", dtype="<f8", mode="r", shape=(512, 512))
    print(array[7, 9], array.sum(), numpy.load("saved.npy", mmap_mode="r").shape)
    print(numpy.fromfile("raw").sum())
"""

SERVER_JS = """
const fs = require('fs'), http = require('http'), path = require('path');
const routes = [];
const app = {
  use: (handler) => routes.push([null, /^/, handler]),
  on: (method, pattern, handler) => routes.push([method, pattern, handler]),
  listen: (done) => {
    const server = http.createServer((request, response) => {
      response.json = (value) => {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(value));
      };
      const left = routes.filter(([method, pattern]) =>
        (!method || method === request.method) && pattern.test(request.url));
      const next = () => {
        const [, pattern, handler] = left.shift() || [null, /^/, (q, r) => {
          r.statusCode = 404; r.json({ missing: q.url });
        }];
        request.match = pattern.exec(request.url);
        handler(request, response, next);
      };
      next();
    });
    server.listen(0, '127.0.0.1', () => done(server));
  },
};
app.use((request, response, next) => {
  fs.appendFile('access.log', `${request.method} ${request.url}\\n`, next);
});
app.on('GET', /^\\/static\\/(\\w+)/, (request, response) =>
  fs.createReadStream(path.join('public', request.match[1])).pipe(response));
app.on('POST', /^\\/items$/, (request, response) => {
  let text = '';
  request.setEncoding('utf8').on('data', (piece) => { text += piece; }).on('end', async () => {
    await fs.promises.writeFile('items.json', text);
    response.json({ stored: JSON.parse(text).length });
  });
});
app.listen(async (server) => {
  const base = `http://127.0.0.1:${server.address().port}`;
  console.log(await (await fetch(`${base}/static/page`)).text());
  const body = JSON.stringify([1, 2, 3]);
  console.log(await (await fetch(`${base}/items`, { method: 'POST', body })).json());
  const log = fs.readFileSync('access.log', 'utf8').split('\\n');
  console.log((await fetch(`${base}/none`)).status, log.length);
  server.close();
  server.closeAllConnections();
});
"""


@pytest.fixture(scope="module")
def two() -> Iterator[Cluster]:
    """Two hosts on which Python and Node run in the name space."""
    setting = 'context = "namespace"\n'
    cluster = Cluster(2, {"host1": setting, "host2": setting})
    yield cluster
    cluster.close()


def test_two_programs_write_one_sqlite_database_in_wal_mode(two: Cluster) -> None:
    two[1].put(f"{HOME}/writers.py", TWO_WRITERS.encode())
    assert two[1].sh("python3 writers.py").ok().splitlines() == [
        "('wal',)",
        "[0, 0]",
        "(40, 380)",
        "('ok',)",
    ]
    count = """
import sqlite3
print(sqlite3.connect("w.db").execute("select count(*) from t").fetchone())
"""
    two[2].put(f"{HOME}/count.py", count.encode())
    assert two[2].sh("python3 count.py").ok() == "(40,)\n"


def test_python_environment_in_the_tree_is_one_on_both_hosts(two: Cluster) -> None:
    two[1].sh("python3 -m venv --without-pip v").ok()
    look = "v/bin/python -c 'import sys; print(sys.prefix)'"
    assert two[1].sh(look).ok() == f"{HOME}/v\n"
    # Its `python` is a link to the interpreter of the host, which both have in the same place.
    assert two[2].sh(look).ok() == f"{HOME}/v\n"
    two[1].put(
        f"{HOME}/v/bin/tool", f"#!{HOME}/v/bin/python\nimport sys\nprint(sys.prefix)\n".encode()
    )
    assert two[1].sh("chmod +x v/bin/tool; v/bin/tool").ok() == f"{HOME}/v\n"


def test_pip_installs_a_package_into_the_tree(two: Cluster, tmp_path: Path) -> None:
    made = wheel(tmp_path, "hello", "VERSION = 3\n")
    two[1].put(f"{HOME}/{made.name}", made.read_bytes())
    script = f"""
        python3 -m pip install --no-deps --no-index -t site ./{made.name} > log 2>&1 || cat log
        PYTHONPATH=site python3 -c 'import hello; print(hello.__file__, hello.VERSION)'
    """
    assert two[1].sh(script).text == f"{HOME}/site/hello.py 3\n"
    assert two[2].sh("PYTHONPATH=site python3 -c 'import hello; print(1)'").ok() == "1\n"


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm_installs_a_package_into_the_tree(two: Cluster) -> None:
    script = """
        mkdir -p np/dep; cd np
        echo '{"name": "a", "version": "1.0.0"}' > package.json
        echo '{"name": "dep", "version": "1.0.0", "main": "i.js"}' > dep/package.json
        echo 'module.exports = 42' > dep/i.js
        npm install ./dep --offline --no-audit --no-fund > log 2>&1 || cat log
        /usr/bin/env node -e 'console.log(require("dep"))'
    """
    assert two[1].sh(script).ok() == "42\n"


def test_file_server_serves_the_tree(two: Cluster) -> None:
    two[1].put(f"{HOME}/served.py", SERVED.encode())
    two[1].put(f"{HOME}/page.txt", b"a page")
    assert two[1].sh("python3 served.py").ok() == "b'a page'\n-15\n"


def test_numpy_maps_files_of_the_tree_into_memory(two: Cluster) -> None:
    two[1].put(f"{HOME}/mapped.py", MAPPED.encode())
    two[1].sh("python3 mapped.py write").ok()
    total = sum(range(512 * 512)) - (7 * 512 + 9) - 1
    seen = f"-1.0 {float(total)} (2, 512)\n{float(sum(range(4 * 512)))}\n"
    assert two[1].sh("python3 mapped.py read").ok() == seen
    assert two[2].sh("python3 mapped.py read").ok() == seen


def test_web_server_in_node_with_routes_and_files(two: Cluster) -> None:
    two[1].put(f"{HOME}/server.js", SERVER_JS.encode())
    two[1].sh("mkdir public; echo a page > public/page").ok()
    ran = two[1].sh("node server.js").ok()
    assert ran.splitlines() == [
        "a page",
        "",
        "{ stored: 3 }",
        "404 3",
    ]
    assert two[2].get(f"{HOME}/items.json") == b"[1,2,3]"
