"""What cannot move is refused by its reason and its path, and the program goes on unharmed."""

from pathlib import Path

import pytest

from tests.migration.node.moves import Program, Refused, undisturbed

# After what is refused: a line every turn, with what the program does go on doing.
REST = """
let turn = 0;
const timer = setInterval(() => {
  console.log('turn', ++turn, typeof kept, String(after(turn)));
  if (turn === 8) { clearInterval(timer); finish(); }
}, 25);
"""
PLAIN = "var after = (n) => n, finish = () => {};"

CASES = {
    "wasm": (
        """var kept = new WebAssembly.Instance(new WebAssembly.Module(
        Buffer.from('0061736d01000000010401600000030201000a05010300010b', 'hex')));"""
        + PLAIN,
        "an object of kind Instance",
        "kept",
    ),
    "hash": (
        """var kept = require('crypto').createHash('sha256');
        var after = (n) => kept.update(String(n)) === kept;
        var finish = () => console.log(kept.digest('hex'));""",
        "an object of kind Hash",
        "kept",
    ),
    "zlib": (
        """var kept = require('zlib').createGzip();
        kept.on('data', (d) => { after.size = (after.size ?? 0) + d.length; });
        kept.on('end', () => console.log('zipped', after.size > 10));
        var after = (n) => kept.write('x' + n), finish = () => kept.end();""",
        "a zlib stream",
        "",
    ),
    "child": (
        """var kept = require('child_process').spawn('sleep', ['60']);
        kept.on('exit', (code, signal) => console.log('child', code, signal));
        var after = (n) => n, finish = () => kept.kill();""",
        "a child process|a pipe or socket",
        "",
    ),
    "worker": (
        """var kept = new (require('worker_threads').Worker)(
          'setInterval(() => {}, 1000)', { eval: true });
        var after = (n) => n, finish = () => kept.terminate().then(() => console.log('over'));""",
        "",
        "",
    ),
    "udp": (
        """var kept = require('dgram').createSocket('udp4');
        kept.bind(0, '127.0.0.1'); kept.unref();
        var after = (n) => n, finish = () => kept.close(() => console.log('closed'));""",
        "a datagram socket",
        "",
    ),
    "udp nobody has": (
        """{ const socket = require('dgram').createSocket('udp4');
        socket.bind(0, '127.0.0.1'); socket.unref(); }
        var kept = 1;"""
        + PLAIN,
        "a datagram socket",
        "",
    ),
    "server": (
        """var kept = require('net').createServer(() => {}).listen(0, '127.0.0.1');
        var after = (n) => n, finish = () => kept.close(() => console.log('closed'));""",
        "a TCP socket",
        "",
    ),
    "watch": (
        """var kept = require('fs').watch('/');
        var after = (n) => n, finish = () => kept.close();""",
        "a watched file",
        "",
    ),
    "registry": (
        "var kept = new FinalizationRegistry(() => {});" + PLAIN,
        "an object of kind FinalizationRegistry",
        "kept",
    ),
    "local storage": (
        """var kept = new (require('async_hooks').AsyncLocalStorage)();
        var after = (n) => kept.run(n, () => kept.getStore() + 1), finish = () => {};""",
        "AsyncLocalStorage",
        "",
    ),
    "event": (
        """var kept = new Event('kept');
        var after = (n) => kept.type, finish = () => {};""",
        "an object of kind Event",
        "kept",
    ),
    "decoder": (
        """var kept = new TextDecoder(); kept.decode(new Uint8Array([0xe2]), { stream: true });
        var after = (n) => n;
        var finish = () => console.log(kept.decode(new Uint8Array([0x82, 0xac])));""",
        "a TextDecoder that may stand within a character",
        "kept",
    ),
    "async generator": (
        """async function* count() { for (let i = 0; ; i++) yield i; }
        var kept = count(); kept.next();
        var after = (n) => n, finish = () => kept.next().then((r) => console.log(r.value));""",
        "an async generator",
        "kept",
    ),
    "finally": (
        """var open, wait = new Promise((resolve) => { open = resolve; });
        var kept = (async () => { try { return 1; } finally { console.log(await wait); } })();
        var after = (n) => n, finish = () => open('late');""",
        "a place in a finally block",
        "",
    ),
    "evaluated operands": (
        """var open, wait = new Promise((resolve) => { open = resolve; }), calls = 0;
        var kept = (async () => { console.log([++calls, await wait]); })();
        var after = (n) => n, finish = () => open('late');""",
        "evaluated parts of an expression",
        "",
    ),
    "changed operand": (
        """var open, wait = new Promise((resolve) => { open = resolve; }), list = [0];
        var kept = (async () => { list.push(await wait); console.log(list); })();
        list = [1];
        var after = (n) => n, finish = () => open('late');""",
        "an expression in which something has changed since",
        "",
    ),
    "shared loop variable": (
        """var open, wait = new Promise((resolve) => { open = resolve; }), kept;
        (async () => {
          for (const n of [1, 2]) { let m = n; kept = () => m++; await wait; m += 2; }
        })();
        var after = (n) => kept(), finish = () => open('late');""",
        "a variable of a block that a closure shares and that changes",
        "",
    ),
    "eval": (
        """function make(text) { eval(text); return (() => hidden); }
        var kept = make('var hidden = 5'), after = (n) => kept() + n, finish = () => {};""",
        "a closure with variables made by eval|the arguments of a function",
        "",
    ),
    "tagged template": (
        """var tag = (parts) => { tag.seen ??= parts; return tag.seen === parts; };
        var kept = 1, after = (n) => tag`a${n}`, finish = () => {};""",
        "the strings of a tagged template",
        "seen",
    ),
    "resizable": (
        """var kept = new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 }));""" + PLAIN,
        "a view of a buffer that can be resized",
        "kept",
    ),
    "number of a timer": (
        """var never = setTimeout(() => {}, 300), kept = +never;
        var after = (n) => typeof kept, finish = () => clearTimeout(kept);""",
        "a timer that is used as a number",
        "",
    ),
    "shared memory": (
        """require('worker_threads'); var kept = new SharedArrayBuffer(8);""" + PLAIN,
        "a SharedArrayBuffer",
        "kept",
    ),
    "changed built-in": (
        """Error.prototype.name = 'Changed'; var kept = [];
        var after = (n) => new Error(n), finish = () => {};""",
        "the program has changed what is built in",
        "Error",
    ),
}


MODULES = {
    "top-level await": (
        """let open; globalThis.kept = 1; globalThis.after = (n) => n;
        globalThis.finish = () => open('late'); await 1;
        globalThis.wait = new Promise((resolve) => { open = resolve; });"""
        + REST
        + "console.log(await wait);",
        "an ES module at an await of its top level",
        "program.mjs",
    ),
    "import.meta": (
        """import.meta.extra = 5; globalThis.kept = import.meta;
        var after = (n) => n, finish = () => {};"""
        + REST,
        "an import.meta that is used as a whole",
        "program.mjs",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_move_is_named_and_goes_on_unharmed(
    node: str, name: str, tmp_path: Path
) -> None:
    source, reason, path = CASES[name]
    refused(node, tmp_path / "program.js", source + REST, reason, path)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_that_cannot_move_is_named_and_goes_on_unharmed(
    node: str, name: str, tmp_path: Path
) -> None:
    refused(node, tmp_path / "program.mjs", *MODULES[name])


def refused(node: str, script: Path, source: str, reason: str, path: str) -> None:
    """Has a program asked to move, and sees to the reason, the path and the output."""
    script.write_text(source)
    plain = undisturbed(node, str(script))
    program = Program(node, str(script))
    program.wait_for_lines(2)
    with pytest.raises(Refused, match=reason or None) as error:
        program.move()
    assert "a fault of OneOS" not in error.value.reason
    assert error.value.path
    assert path in error.value.path
    outcome = program.end()
    assert outcome.err == ""
    assert (outcome.out, outcome.status) == (plain.out, plain.status)


def test_a_capture_that_is_given_up_changes_nothing(node: str) -> None:
    script = Path(__file__).parent / "programs" / "objects.js"
    plain = undisturbed(node, str(script))
    program = Program(node, str(script))
    for line in range(1, 4):
        program.wait_for_lines(line)
        program.give_up()
    outcome = program.end()
    assert (outcome.out, outcome.err, outcome.status) == (plain.out, "", plain.status)
