"""What a program in the context does to the Runtime, and what it is refused."""

import json
import os
import stat
import subprocess
from collections.abc import Callable
from textwrap import dedent
from typing import Any

import pytest

from oneos.guest.launch_node import command
from tests.support.treeserver import Failure, TreeServer
from tests.unit.guest_node.support import Result, run_in_context

Run = Callable[..., Result]


@pytest.fixture
def run(node: str, base: str) -> Run:
    """Runs one program in the context, in a directory that holds it and a file `data`."""

    def start(program: str, *, name: str = "main.js", **options: Any) -> Result:
        source = os.path.join(base, "source")
        os.makedirs(source)
        with open(os.path.join(source, name), "w", encoding="utf-8") as file:
            file.write(dedent(program))
        with open(os.path.join(source, "data"), "w", encoding="utf-8") as file:
            file.write("0123456789")
        return run_in_context(node, source, [name], base=base, **options)

    return start


def _answer(result: Result) -> Any:
    assert (result.stderr, result.status) == ("", 0)
    return json.loads(result.stdout)


# --- handles ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "write",
    [
        "fs.writeFileSync('out', 'x')",
        "fs.writeFileSync('out', Buffer.from('x'))",
        "fs.closeSync(fs.openSync('out', 'w'))",
        "fs.appendFileSync('out', 'x')",
        "await fs.promises.writeFile('out', 'x')",
        "const h = await fs.promises.open('out', 'w'); await h.close()",
        "await new Promise((ok, no) => fs.writeFile('out', 'x', (e) => (e ? no(e) : ok())))",
        "await new Promise((r) => fs.createWriteStream('out').end('x').on('close', r))",
        "fs.copyFileSync('data', 'out')",
        "await fs.promises.copyFile('data', 'out')",
    ],
)
def test_a_commit_that_fails_is_an_error_of_the_writer(run: Run, write: str) -> None:
    def prepare(server: TreeServer) -> None:
        server.fail["close", "*"] = Failure(28)

    result = run(
        f"""
        const fs = require('fs');
        (async () => {{
          const say = (e) => console.log(JSON.stringify([e.code, e.syscall]));
          process.on('uncaughtException', say);
          try {{ await (async () => {{ {write} }})(); }} catch (e) {{ say(e); }}
        }})();
        """,
        prepare=prepare,
    )  # fmt: skip
    code, syscall = _answer(result)
    assert code == "ENOSPC"
    assert syscall in ("close", "copyfile")


def test_every_file_that_was_closed_is_closed_at_the_runtime(run: Run) -> None:
    seen: dict[str, Any] = {}

    def inspect(server: TreeServer) -> None:
        seen["open"] = [entry.path for entry in server.handles.values()]
        seen["closes"] = server.count("close")

    result = run(
        """
        const fs = require('fs');
        (async () => {
          // To write, for what is only read may be opened again without asking.
          for (let i = 0; i < 20; i++) {
            fs.readFileSync('data', { flag: 'r+', encoding: i % 2 ? 'utf8' : null });
          }
          fs.writeFileSync('a', 'x');
          await fs.promises.writeFile('b', 'x');
          for await (const chunk of fs.createReadStream('data')) chunk.length;
          const left = fs.openSync('left', 'w');
          fs.writeSync(left, 'open at the end');
          fs.statSync('data');
          console.log(1);
        })();
        """,
        inspect=inspect,
    )
    assert _answer(result) == 1
    assert [os.path.basename(path) for path in seen["open"]] == [b"left"]
    assert seen["closes"] >= 23


def test_fsync_waits_for_the_runtime(run: Run) -> None:
    def prepare(server: TreeServer) -> None:
        server.fail["sync", "*"] = Failure(5, hint="no copy could be made")

    result = run(
        """
        const fs = require('fs');
        const fd = fs.openSync('f', 'w');
        try { fs.fsyncSync(fd); } catch (e) { console.log(JSON.stringify([e.code, e.hint])); }
        """,
        prepare=prepare,
    )
    assert _answer(result) == ["EIO", "no copy could be made"]


def test_a_host_that_is_away_is_named(run: Run) -> None:
    def prepare(server: TreeServer) -> None:
        server.fail["open", "/dev/sensor/*"] = Failure(113, hint="host pi-3 left the network")

    result = run("require('fs').readFileSync('/dev/sensor/1');", prepare=prepare)
    assert result.status == 1
    assert "EHOSTUNREACH: host is unreachable, open '/dev/sensor/1'" in result.stderr
    assert "host pi-3 left the network" in result.stderr


# --- files in use at another host ------------------------------------------------------------
def test_a_remote_file_reads_and_writes_like_any_other(run: Run) -> None:
    result = run(
        """
        const fs = require('fs');
        const fsp = fs.promises;
        (async () => {
          const out = [fs.readFileSync('data', 'utf8'), fs.readFileSync('data').length];
          const fd = fs.openSync('data', 'r+');
          const buffer = Buffer.alloc(4);
          out.push(fs.readSync(fd, buffer), `${buffer}`, fs.readSync(fd, buffer), `${buffer}`);
          out.push(fs.writeSync(fd, 'AB'), fs.writeSync(fd, Buffer.from('CD'), 0, 2, 0));
          out.push(fs.fstatSync(fd).size);
          out.push(fs.readvSync(fd, [Buffer.alloc(1), buffer], 0), `${buffer}`);
          fs.ftruncateSync(fd, 6);
          fs.fsyncSync(fd);
          fs.closeSync(fd);
          out.push(await fsp.readFile('data', 'utf8'));
          const handle = await fsp.open('data', 'a+');
          await Promise.all([handle.write('one'), handle.write('two')]);
          await handle.close();
          out.push(fs.readFileSync('data', 'utf8'));
          fs.appendFileSync('data', '!');
          const big = Buffer.alloc(2500000, 'z');
          fs.writeFileSync('big-data', big);
          out.push(fs.readFileSync('big-data').equals(big));
          out.push((await fsp.readFile('big-data')).equals(big));
          const w = fs.createWriteStream('data', { flags: 'a' });
          for (let i = 0; i < 50; i++) w.write(`${i},`);
          await new Promise((r) => w.end(r));
          let text = '';
          for await (const chunk of fs.createReadStream('data', { start: 9 })) text += chunk;
          out.push(text.endsWith('48,49,'), text.slice(0, 8));
          try { fs.writeSync(fs.openSync('data', 'r'), 'x'); } catch (e) { out.push(e.code); }
          fs.copyFileSync('data', 'copy');
          out.push(fs.statSync('copy').size === fs.statSync('data').size);
          console.log(JSON.stringify(out));
        })();
        """,
        remote=["*data"],
    )
    assert _answer(result) == [
        "0123456789", 10, 4, "0123", 4, "4567", 2, 2, 10, 5, "D234",
        "CD2345", "CD2345onetwo", True, True, True, "two!0,1,", "EBADF", True,
    ]  # fmt: skip


def test_writes_without_waiting_keep_their_order_on_a_remote_file(run: Run) -> None:
    result = run(
        """
        const fs = require('fs');
        fs.open('data', 'w', (error, fd) => {
          let left = 200;
          for (let i = 0; i < 200; i++) {
            fs.write(fd, String.fromCharCode(33 + i % 90), () => {
              if (--left !== 0) return;
              fs.close(fd, () => console.log(JSON.stringify(fs.readFileSync('data', 'utf8'))));
            });
          }
        });
        """,
        remote=["*data"],
    )  # fmt: skip
    assert _answer(result) == "".join(chr(33 + i % 90) for i in range(200))


# --- refused ---------------------------------------------------------------------------------
def test_native_programs_are_refused_with_the_true_errno_and_in_words(run: Run) -> None:
    result = run(
        """
        const cp = require('child_process');
        const fs = require('fs');
        fs.writeFileSync('native', Buffer.from('\\x7fELF\\0\\0'), { mode: 0o755 });
        const out = [];
        const say = (e) => out.push([e.errno, e.syscall, e.message.includes('later version')]);
        for (const action of [() => cp.execFileSync('./native'), () => cp.spawn('./native'),
                              () => cp.spawn('ls', { uid: process.getuid() + 1 })]) {
          try { action(); } catch (e) { say(e); }
        }
        say(cp.spawnSync('./native').error);
        console.log(JSON.stringify(out));
        """
    )
    assert _answer(result) == [
        [-8, "spawnSync ./native", True],
        [-8, "spawn", True],
        [-1, "spawn", False],
        [-8, "spawnSync ./native", True],
    ]


def test_a_child_can_write_a_file_that_is_open_at_another_host(run: Run) -> None:
    result = run(
        """
        const cp = require('child_process');
        const fs = require('fs');
        const fd = fs.openSync('far', 'w+');
        fs.writeSync(fd, 'parent ');
        const line = 'console.log("child")';
        const { status } = cp.spawnSync(process.execPath, ['-e', line], { stdio: [0, fd, 2] });
        const child = cp.spawn(process.execPath, ['-e', line], { stdio: ['ignore', fd, 2] });
        child.on('exit', () => {
          console.log(JSON.stringify([status, fs.readFileSync('far', 'utf8')]));
        });
        """,
        remote=["*/far"],
    )
    assert _answer(result) == [0, "parent child\n"]


def test_what_is_left_out_is_refused_with_its_errno(run: Run) -> None:
    result = run(
        """
        const fs = require('fs');
        const net = require('net');
        const out = {};
        const attempt = (name, action) => {
          try { action(); out[name] = 'done'; } catch (e) { out[name] = e.code; }
        };
        attempt('symlink', () => fs.symlinkSync('data', '/usr/oneos-test'));
        attempt('link', () => fs.linkSync('data', '/usr/oneos-test'));
        attempt('link from', () => fs.linkSync('/usr/bin/env', 'l'));
        attempt('usr', () => fs.writeFileSync('/usr/oneos-test', 'x'));
        attempt('mkdir', () => fs.mkdirSync('/usr/oneos-test'));
        attempt('rm', () => fs.unlinkSync(process.execPath));
        attempt('rename', () => fs.renameSync('data', '/usr/oneos-test'));
        attempt('dots', () => fs.writeFileSync('/tmp/../usr/oneos-test', 'x'));
        attempt('snapshot', () => require('v8').writeHeapSnapshot());
        attempt('report', () => process.report.writeReport('x'));
        attempt('register', () => require('module').register('data:text/javascript,'));
        attempt('setuid', () => process.setuid(0));
        net.createServer().on('error', (e) => { out.listen = e.code; }).listen('/usr/sock');
        setTimeout(() => console.log(JSON.stringify(out)), 50);
        """
    )  # fmt: skip
    assert _answer(result) == {
        "symlink": "EROFS", "link": "EROFS", "link from": "EXDEV",
        "usr": "EROFS", "mkdir": "EROFS", "rm": "EROFS", "rename": "EROFS",
        "dots": "EROFS", "snapshot": "ENOSYS", "report": "ENOSYS", "register": "ENOSYS",
        "setuid": "EPERM", "listen": "EROFS",
    }  # fmt: skip


def test_what_is_watched_holds_the_program_until_it_is_closed(run: Run) -> None:
    result = run(
        """
        const fs = require('fs');
        const seen = [];
        const watcher = fs.watch('.', (event, name) => {
          if (name !== 'fresh' || seen.length) return;
          seen.push(event);
          watcher.close();
          fs.watchFile('data', { interval: 10 }, (now, before) => {
            if (now.size === before.size) return;
            seen.push(now.size - before.size);
            fs.unwatchFile('data');
          });
          setTimeout(() => fs.appendFileSync('data', 'more'), 100);
        });
        fs.watch('data', { persistent: false });
        fs.writeFileSync('fresh', 'x');
        process.on('exit', () => console.log(JSON.stringify(seen)));
        """
    )
    assert _answer(result) == ["rename", 4]


def test_databases_in_the_tree_are_refused(run: Run) -> None:
    result = run(
        """
        let sqlite;
        process.removeAllListeners('warning');
        process.on('warning', () => {});
        try { sqlite = require('node:sqlite'); } catch { console.log('"ENOSYS"'); }
        if (sqlite) {
          new sqlite.DatabaseSync(':memory:').close();
          const db = new sqlite.DatabaseSync(':memory:');
          db.exec('create table t (n integer); insert into t values (7)');
          if (db.prepare('select n from t').get().n !== 7) console.log('wrong');
          const codes = new Set();
          for (const action of [() => new sqlite.DatabaseSync('x.db'),
                                () => db.exec("attach database 'x.db' as x"),
                                () => db.prepare("VACUUM main INTO 'x.db'")]) {
            try { action(); codes.add('done'); } catch (e) { codes.add(e.code); }
          }
          console.log(JSON.stringify([...codes].join()));
        }
        """
    )
    assert _answer(result) == "ENOSYS"


# --- the Runtime goes ------------------------------------------------------------------------
def test_a_runtime_that_is_gone_is_an_error_at_once(run: Run) -> None:
    result = run(
        """
        const fs = require('fs');
        (async () => {
          const fd = fs.openSync('data', 'r+');
          const out = [];
          try { fs.unlinkSync('gone'); } catch (e) { out.push(e.code); }
          const attempt = async (action) => {
            try { await action(); } catch (e) { out.push(e.code); }
          };
          await attempt(() => fs.statSync('data'));
          await attempt(() => fs.closeSync(fd));
          await attempt(() => fs.promises.readFile('data'));
          await attempt(() => fs.promises.writeFile('data', 'x'));
          await attempt(() => process.chdir('/'));
          await attempt(() => process.kill(1, 0));
          fs.stat('data', (e) => { out.push(e.code); console.log(JSON.stringify(out)); });
        })();
        """,
        prepare=lambda server: setattr(server, "do_unlink", lambda *_: server.disconnect()),
    )
    assert _answer(result) == ["EIO"] * 8


def test_a_runtime_that_was_never_there_is_an_error(node: str) -> None:
    env = {"ONEOS_SOCK": "/nonexistent/sock", "ONEOS_PID": "1", "ONEOS_CWD": "/", "PATH": "/bin"}
    done = subprocess.run(
        command(node, ["-p", "try { fs.readFileSync('/x') } catch (e) { e.code }"]),
        env=env, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "EIO\n"


# --- the process -----------------------------------------------------------------------------
def test_who_and_where_the_program_is(run: Run) -> None:
    result = run(
        """
        const os = require('os');
        const { uid, gid, username, homedir } = os.userInfo();
        console.log(JSON.stringify([process.pid, os.hostname(), process.getuid(), process.getegid(),
          uid, gid, username, homedir, os.homedir()]));
        """
    )
    assert _answer(result) == [
        4242, "pi1", 1000, 1000, 1000, 1000, "alice", "/home/alice", "/home/alice",
    ]  # fmt: skip


def test_signals_to_others_go_through_the_runtime(run: Run) -> None:
    seen: list[Any] = []
    result = run(
        """
        try {
          process.kill(77, 'SIGUSR1');
        } catch (e) {
          console.log(JSON.stringify([e.code, e.syscall]));
        }
        """,
        inspect=lambda server: seen.extend(r.args for r in server.requests if r.op == "kill"),
    )  # fmt: skip
    assert _answer(result) == ["ESRCH", "kill"]
    assert seen == [(77, 10)]


def test_a_megabyte_before_exit_reaches_a_slow_reader(run: Run) -> None:
    result = run("console.log('x'.repeat(1 << 20)); process.exit(3)")
    assert (len(result.stdout), result.status) == ((1 << 20) + 1, 3)


def test_nothing_is_written_to_the_host(run: Run, base: str) -> None:
    before = sorted(os.listdir(base))
    result = run("require('fs').writeFileSync('new', ''); console.log(1)")
    assert _answer(result) == 1
    assert sorted(set(os.listdir(base)) - {"source"}) == before


def test_options_of_the_environment_do_not_act_and_are_seen(run: Run) -> None:
    result = run(
        "console.log(JSON.stringify(process.env.NODE_OPTIONS))",
        extra={"NODE_OPTIONS": "--require /nonexistent.js"},
    )
    assert _answer(result) == "--require /nonexistent.js"


def test_modes_are_masked_once(run: Run) -> None:
    seen: list[Any] = []
    run(
        "process.umask(0o027); require('fs').writeFileSync('new', '', { mode: 0o666 });"
        "require('fs').mkdirSync('dir')",
        inspect=lambda server: seen.extend(
            r.args[-1] for r in server.requests if r.op in ("open", "mkdir") and r.args[-1]
        ),
    )
    assert [stat.S_IMODE(mode) for mode in seen] == [0o640, 0o750]
