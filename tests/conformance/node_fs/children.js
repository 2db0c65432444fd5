'use strict';
// child_process: spawn, exec, execFile, fork, and their synchronous kinds.
const fs = require('fs');
const { spawn, exec, execFile, fork, spawnSync, execSync, execFileSync } = require('child_process');

const node = process.execPath;
const end = (child) =>
  new Promise((resolve) => child.on('close', (code, signal) => resolve([code, signal])));
const text = async (stream) => {
  let all = '';
  for await (const chunk of stream) all += chunk;
  return all;
};
const outcome = (action, ...args) =>
  new Promise((resolve) =>
    action(...args, (error, out, err) =>
      resolve([error && [error.code, error.signal, error.killed], out, err]),
    ),
  );

module.exports = {
  async 'spawn: output, errors, code'() {
    const child = spawn(node, ['-e', 'console.log("out"); console.error("err"); process.exit(5)']);
    const [out, err, ended] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      end(child),
    ]);
    return [
      out,
      err,
      ended,
      child.exitCode,
      child.signalCode,
      child.pid > 0,
      child.spawnfile === node,
      child.spawnargs.length,
    ];
  },
  async 'spawn: input goes through'() {
    const child = spawn(node, ['-e', 'process.stdin.pipe(process.stdout)']);
    child.stdin.end('z'.repeat(200_000));
    return [(await text(child.stdout)).length, await end(child)];
  },
  async 'spawn: events in order'({ events }) {
    const child = spawn(node, ['-e', '0']);
    child.stdout.resume();
    child.stderr.resume();
    return events(child, 'spawn', 'exit', 'close');
  },
  async 'spawn of what is not there'() {
    const child = spawn('./none', ['a']);
    return new Promise((resolve) =>
      child.on('error', (error) => resolve([error, error.spawnargs, child.pid])),
    );
  },
  async 'spawn in a directory, and in one that is not there'() {
    fs.mkdirSync('d');
    const child = spawn(node, ['-p', 'process.cwd()'], { cwd: 'd' });
    const away = spawn(node, ['-p', '1'], { cwd: 'none' });
    const failure = new Promise((resolve) => away.on('error', (error) => resolve(error.code)));
    return [await text(child.stdout), await failure];
  },
  async 'spawn with an environment of its own'() {
    const child = spawn(node, ['-p', 'process.env.MINE + Object.keys(process.env).length'], {
      env: { MINE: 'x' },
    });
    return text(child.stdout);
  },
  async 'spawn: kill'() {
    const child = spawn(node, ['-e', 'setInterval(() => {}, 1000); console.log("up")']);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    return [child.kill(), await end(child), child.killed, child.kill()];
  },
  async 'spawn: SIGKILL, and a signal that the child handles'() {
    const source =
      `process.on("SIGTERM", () => { console.log("got"); process.exit(9); });
        setInterval(() => {}, 1000); console.log("up")`;
    const child = spawn(node, ['-e', source]);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGTERM');
    const first = [await text(child.stdout), await end(child)];
    const second = spawn(node, ['-e', source]);
    await new Promise((resolve) => second.stdout.once('data', resolve));
    second.kill('SIGKILL');
    return [first, await end(second)];
  },
  async 'spawn: timeout and AbortSignal'() {
    const late = spawn(node, ['-e', 'setInterval(() => {}, 1000)'], { timeout: 300 });
    const controller = new AbortController();
    const stopped = spawn(node, ['-e', 'setInterval(() => {}, 1000)'], {
      signal: controller.signal,
    });
    const error = new Promise((resolve) => stopped.on('error', resolve));
    controller.abort();
    return [await end(late), (await error).name];
  },
  async 'spawn with files as streams'() {
    fs.writeFileSync('in', 'from a file');
    const [input, output] = [fs.openSync('in', 'r'), fs.openSync('out', 'w')];
    const child = spawn(node, ['-e', 'process.stdin.pipe(process.stdout)'], {
      stdio: [input, output, 'ignore'],
    });
    fs.closeSync(input);
    fs.closeSync(output);
    return [await end(child), fs.readFileSync('out', 'utf8')];
  },
  async 'a fourth stream'() {
    const child = spawn(node, ['-e', 'require("fs").writeSync(3, "third")'], {
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    });
    return [await text(child.stdio[3]), await end(child)];
  },
  async 'one child into the next'() {
    const first = spawn(node, ['-e', 'for (let i = 0; i < 3; i++) console.log(i)'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const second = spawn(node, [
      '-e',
      'process.stdin.on("data", (x) => process.stdout.write(`<${x}>`))',
    ]);
    first.stdout.pipe(second.stdin);
    return (await text(second.stdout)).replace(/[<>]/g, '');
  },
  async 'exec and execFile'() {
    return [
      await outcome(execFile, node, ['-e', 'console.log("a"); console.error("b")']),
      await outcome(execFile, node, ['-e', 'process.exit(6)']),
      await outcome(execFile, node, ['-e', 'console.log("x".repeat(5000))'], {
        maxBuffer: 10,
      }).then(([error, out]) => [error[0], out.length]),
      await outcome(execFile, './none', []),
    ];
  },
  async 'exec with a shell'() {
    fs.writeFileSync('a', 'x');
    return [
      await outcome(exec, 'echo one; echo two >&2; exit 4'),
      await outcome(exec, 'cat a'),
      await outcome(exec, 'echo $MINE', { env: { MINE: 'v', PATH: process.env.PATH } }),
    ];
  },
  spawnSync() {
    const run = (...args) => {
      const x = spawnSync(...args);
      return [x.status, x.signal, x.output && x.output.map(String), x.error && x.error.code];
    };
    return [
      run(node, ['-e', 'console.log("a"); process.exit(2)']),
      run(node, ['-e', 'process.stdin.pipe(process.stdout)'], { input: 'in' }),
      run('./none'),
      run(node, ['-e', 'setInterval(() => {}, 1000)'], { timeout: 300 }),
      run(node, ['-e', 'console.log("x".repeat(9999))'], { maxBuffer: 5 }),
      run(node, ['-e', 'process.kill(process.pid, 9)']),
    ];
  },
  'execFileSync and execSync'({ tried }) {
    const failed = tried(() =>
      execFileSync(node, ['-e', 'console.log("some"); process.exit(3)'], { stdio: 'pipe' }),
    );
    return [
      execFileSync(node, ['-p', '40 + 2'], { encoding: 'utf8' }),
      failed.status,
      failed.stdout,
      execSync('echo shell', { encoding: 'utf8' }),
      tried(() => execSync('exit 5', { stdio: 'pipe' })).status,
      tried(() => execFileSync('./none')).code,
    ];
  },
  async 'fork talks'() {
    fs.writeFileSync(
      'child.js',
      `process.on("message", (m) => { process.send({ got: m });
        if (m === "end") process.disconnect(); }); process.send("ready");`,
    );
    const child = fork('./child.js', ['arg']);
    const seen = [];
    child.on('message', (message) => {
      seen.push(message);
      if (message === 'ready') {
        child.send([1, { a: 'b' }]);
        child.send('end');
      }
    });
    return [await end(child), seen, child.connected];
  },
  async 'fork with its own options'() {
    fs.writeFileSync(
      'child.js',
      'process.send([process.argv.slice(2), process.env.MINE, process.cwd(), process.execArgv])',
    );
    fs.mkdirSync('d');
    const child = fork('child.js', ['a'], {
      env: { MINE: 'x' },
      execArgv: ['--no-warnings'],
      serialization: 'advanced',
    });
    const message = new Promise((resolve) => child.on('message', resolve));
    return [await message, await end(child)];
  },
  async 'a child that is detached and not waited for'() {
    const source = 'require("fs").writeFileSync("made", "by the child")';
    const child = spawn(node, ['-e', source], { detached: true, stdio: 'ignore' });
    child.unref();
    while (!fs.existsSync('made') || !fs.statSync('made').size)
      await new Promise((done) => setTimeout(done, 10));
    return fs.readFileSync('made', 'utf8');
  },
  async 'a child sees what was written before it, and the reverse'() {
    fs.writeFileSync('a', 'parent');
    execFileSync(node, ['-e', 'const fs = require("fs"); fs.appendFileSync("a", "+child")']);
    return fs.readFileSync('a', 'utf8');
  },
  'argument errors'({ tried }) {
    return [
      tried(() => spawn()),
      tried(() => spawn('')),
      tried(() => spawn('a', 'b')),
      tried(() => spawn('a', [], { cwd: 1 })),
      tried(() => spawn('a\0')),
      tried(() => fork(1)),
      tried(() => execFile()),
      tried(() => spawn('a', { stdio: 'bad' })),
      tried(() => spawnSync('a', { timeout: -1 })),
      tried(() => spawn('a', { uid: 'x' })),
    ];
  },
  'a script with its own first line runs'() {
    fs.writeFileSync(
      'tool',
      '#!/usr/bin/env node\nconsole.log("tool", process.argv.slice(2).join())',
      { mode: 0o755 },
    );
    fs.writeFileSync('plain', 'no program', { mode: 0o644 });
    return [
      execFileSync('./tool', ['a', 'b'], { encoding: 'utf8' }),
      spawnSync('./plain').error.code,
    ];
  },
};
