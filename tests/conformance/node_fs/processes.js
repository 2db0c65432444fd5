'use strict';
// process and os: where and who the program is; its streams; what it writes before it ends.
const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawnSync } = require('child_process');

// What `node NAME` does with `source` as its program.
function ran(source, options = {}) {
  fs.writeFileSync('program.js', source);
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['program.js'], {
    encoding: 'latin1',
    ...options,
  });
  return [
    status,
    signal,
    stdout.length > 200 ? stdout.length : stdout,
    stderr.split('\n').slice(0, 1),
  ];
}

module.exports = {
  'cwd and chdir'({ tried, root }) {
    const before = process.cwd();
    fs.mkdirSync('d/e', { recursive: true });
    fs.symlinkSync('d', 'l');
    fs.writeFileSync('f', '');
    const found = [
      before,
      process.chdir('d'),
      process.cwd(),
      process.chdir('..'),
      process.cwd() === before,
      process.chdir('l/e'),
      process.cwd(),
      fs.readdirSync('..'),
    ];
    process.chdir(before);
    return [
      ...found,
      tried(() => process.chdir('none')),
      tried(() => process.chdir('f')),
      tried(() => process.chdir()),
      tried(() => process.chdir('')),
      process.chdir(root),
      process.cwd(),
      process.chdir(before),
    ];
  },
  'pid and ppid are numbers of processes'({ tried }) {
    return [
      Number.isInteger(process.pid),
      process.pid > 0,
      typeof process.ppid,
      process.kill(process.pid, 0),
      tried(() => process.kill(2 ** 22 + 5, 0)),
      tried(() => process.kill('x')),
      tried(() => process.kill(process.pid, 'SIGNONE')),
      tried(() => process.kill(process.pid, 99)),
    ];
  },
  async 'a signal to oneself is handled'() {
    const seen = [];
    process.on('SIGUSR2', (name, number) => seen.push(name, number));
    process.kill(process.pid, 'SIGUSR2');
    while (!seen.length) await new Promise((done) => setTimeout(done, 5));
    process.removeAllListeners('SIGUSR2');
    return seen;
  },
  'environment: set, delete, list, children'() {
    process.env.ONE_MORE = 5;
    const found = [
      process.env.ONE_MORE,
      'ONE_MORE' in process.env,
      Object.keys(process.env).includes('ONE_MORE'),
      ran('console.log(process.env.ONE_MORE)'),
      delete process.env.ONE_MORE,
      process.env.ONE_MORE,
    ];
    return [...found, Object.keys(process.env).filter((name) => name.startsWith('ONEOS'))];
  },
  'argv, execPath, execArgv, title, versions'() {
    return [
      path.basename(process.argv[0]),
      path.basename(process.execPath),
      path.basename(process.argv[1]),
      process.execArgv,
      typeof process.title,
      process.version,
      process.platform,
      process.arch,
      process.release.name,
    ];
  },
  umask() {
    const before = process.umask(0o077);
    fs.writeFileSync('f', '');
    return [typeof before, process.umask(before), (fs.statSync('f').mode & 0o777).toString(8)];
  },
  users() {
    const info = os.userInfo();
    return [
      process.getuid(),
      process.geteuid(),
      process.getgid(),
      process.getegid(),
      Array.isArray(process.getgroups()),
      info.uid,
      info.gid,
      typeof info.username,
      typeof os.homedir(),
    ];
  },
  'os: what is of the machine'() {
    return [
      os.platform(),
      os.type(),
      os.arch(),
      os.EOL,
      os.endianness(),
      os.cpus().length,
      os.totalmem() > os.freemem(),
      os.uptime() > 0,
      os.loadavg().length,
      os.tmpdir(),
      os.release(),
      os.devNull,
      typeof os.machine(),
      os.availableParallelism() > 0,
      typeof os.hostname(),
      os.constants.signals.SIGTERM,
      os.getPriority(),
      Object.keys(os.networkInterfaces()).includes('lo'),
    ];
  },
  'standard streams of a child'() {
    return [
      ran('process.stdout.write("out"); process.stderr.write("err")'),
      ran('process.stdin.on("data", (x) => process.stdout.write(x.toString().toUpperCase()))', {
        input: 'words',
      }),
      ran('console.log(require("fs").readFileSync(0, "utf8").length)', {
        input: 'x'.repeat(100_000),
      }),
      ran(
        `console.log(process.stdin.isTTY, process.stdout.isTTY, process.stdin.fd,
          process.stdout.fd, process.stderr.fd)`,
      ),
      ran('(async () => { for await (const x of process.stdin) process.stdout.write(x); })()', {
        input: 'a\nb',
      }),
    ];
  },
  'exit loses no output already written'() {
    // Less than a pipe holds: beyond that Node itself loses some where nobody reads in time.
    return [
      ran(`process.stdout.write('x'.repeat(60000)); process.exit(3)`),
      ran(`for (let i = 0; i < 100; i++) console.log('line '.repeat(20)); process.exit()`),
      ran(
        `process.on('exit', () => console.log('last')); process.stdout.write('first ');
          process.exit(0)`,
      ),
      ran(`require('fs').writeSync(1, 'sync'); process.exit(4)`),
      ran(`process.stdout.write('y'.repeat(50000)); throw new Error('mine')`).slice(0, 3),
    ];
  },
  'exit loses nothing that goes to a file'() {
    const fd = fs.openSync('out', 'w');
    fs.writeFileSync('program.js', `process.stdout.write('x'.repeat(500000)); process.exit(2)`);
    const { status } = spawnSync(process.execPath, ['program.js'], {
      stdio: ['ignore', fd, 'ignore'],
    });
    fs.closeSync(fd);
    return [status, fs.statSync('out').size];
  },
  'exit codes'() {
    return [
      ran('process.exitCode = 7'),
      ran('process.exit(300)'),
      ran('process.abort()').slice(0, 2),
      ran('process.kill(process.pid, "SIGTERM")'),
      ran('throw new Error("x")').slice(0, 3),
      ran('Promise.reject(new Error("x"))').slice(0, 3),
      ran('process.exitCode = 1; process.exit(0)'),
    ];
  },
  'exit events'() {
    return ran(`process.on('beforeExit', (c) => console.log('before', c));
      process.on('exit', (c) => console.log('exit', c));
      process.on('uncaughtException', (e) => console.log(e.message));
        setTimeout(() => { throw new Error('caught'); }, 1);`);
  },
  'the program from standard input and from -e'() {
    const node = (args, input) => {
      const x = spawnSync(process.execPath, args, { input, encoding: 'utf8' });
      return [x.status, x.stdout, x.stderr];
    };
    return [
      node(['-'], 'console.log(1 + 1)'),
      node([], 'console.log(process.cwd())'),
      node(['-e', 'console.log(process.argv.length)', 'a', 'b']),
      node(['-p', '"printed"']),
      node(['--input-type=module', '-e', 'import fs from "fs"; console.log(typeof fs.stat)']),
      node(['none.js'])[0],
      node(['-e', 'syntax error here'])[0],
    ];
  },
  'hrtime, uptime, memory, resources'() {
    return [
      process.hrtime().length,
      typeof process.hrtime.bigint(),
      process.uptime() > 0,
      Object.keys(process.memoryUsage()),
      Object.keys(process.resourceUsage()).length,
      typeof process.cpuUsage().user,
    ];
  },
  'emitWarning goes to standard error'() {
    return ran('process.emitWarning("careful", { code: "MINE" }); console.log("went on")')[2];
  },
  'console on both streams'() {
    return [
      ran(
        `console.log("a", 1, { b: [2] }); console.error("c"); console.table([[1]]);
          console.dir({ x: 1 })`,
      ),
      ran('console.assert(false, "no")'),
    ];
  },
};
