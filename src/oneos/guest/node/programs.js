'use strict';
// Starting programs: what stands behind `child_process` and `process.execve`.
//
// The Runtime is asked first: it finds the program in the tree, enters it in the process table, and
// answers what to execute and with which environment. Then Node's own function does just that, so
// pipes, descriptors, the channel of `fork`, sessions and signals are Node's and the kernel's. A
// program that cannot be started fails as natively, with the errno of execve(2).

const { posix } = require('path');
const { signals } = require('os').constants;
const { kernelPids } = require('./children');
const { Fail, ERRNO, describe } = require('./errors');
const { table } = require('./files');
const paths = require('./paths');
const processes = require('./processes');
const { native, original, runSync } = require('./steps');

const { NOWHERE } = paths;
const PATH_DEFAULT = '/usr/bin:/bin';
const { O_RDONLY, O_WRONLY } = require('fs').constants;
const ignore = () => {};
const text = (value) => (typeof value === 'string' ? value : Buffer.from(value).toString());
const owns = (id, own) => id === undefined || id === null || id === own;

// Where `file` may be, in the order in which execvp(3) tries.
function candidates(file, env, cwd) {
  if (file.includes('/')) return [posix.resolve(cwd, file)];
  const path = env.find((entry) => entry.startsWith('PATH='))?.slice('PATH='.length);
  const places = (path || PATH_DEFAULT).split(':');
  return places.map((place) => posix.resolve(cwd, place, file));
}

// What the Runtime is told of the program to start. `entries`: files of the tree that it inherits.
function specOf({ file, args, cwd, envPairs, uid, gid }, entries) {
  if (!owns(uid, process.getuid()) || !owns(gid, process.getgid())) throw new Fail(ERRNO.EPERM);
  const where = text(cwd ? processes.directory(cwd) : paths.cwd());
  const env = envPairs ?? Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
  const handles = entries.filter(({ kind, h }) => kind === 'fd' && h).map(({ h }) => h);
  return {
    files: candidates(file, env, where).map((path) => Buffer.from(path)),
    argv: (args?.length ? args : [file]).map((word) => Buffer.from(String(word))),
    env: env.map((entry) => Buffer.from(entry)),
    cwd: Buffer.from(where),
    handles: [...new Set(handles)],
  };
}

// The files of the tree among the descriptors of `stdio`: [place in stdio, entry] each.
function inherited(stdio) {
  return [...(stdio ?? [])].map(({ type, fd }, at) => (
    type === 'fd' || type === 'inherit' ? [at, table.get(fd)] : [at, undefined]
  )).filter(([, entry]) => entry !== undefined);
}

// `stdio`, with a pipe for each file that is in use at another host. `made`: descriptors to close.
function withPipes(channel, pid, stdio, files, made) {
  const changed = stdio && [...stdio];
  for (const [at, { kind, h, position }] of files) {
    if (kind !== 'remote') continue;
    const reading = at === 0;
    const { path } = channel.call(['pipe', pid, h, position, reading]);
    const flags = reading ? O_RDONLY : O_WRONLY;
    const fd = runSync((function* () { return yield native('open', path, flags, 0); })());
    made.push(fd);
    changed[at] = { type: 'fd', fd };
  }
  return changed;
}

// Enter a child and let `start` start it, with options that execute what the Runtime says.
// Gives what `start` gave, and the child's PID. Throws Fail: the Runtime refuses.
function enter(channel, options, start) {
  const files = inherited(options.stdio);
  const spec = specOf(options, files.map(([, entry]) => entry));
  const { pid, argv, env } = channel.call(['child', spec]);
  const words = argv.map(text);
  const made = [];
  try {
    const stdio = withPipes(channel, pid, options.stdio, files, made);
    const changed = { ...options, file: words[0], args: words, envPairs: env.map(text), stdio };
    delete changed.cwd;
    return { pid, piped: made.length > 0, result: start(changed) };
  } catch (fail) {
    channel.post(['unborn', pid], ignore);
    throw fail;
  } finally {
    for (const fd of made) original.close(fd);
  }
}

// Tell the Runtime how a child ended. What it wrote through a pipe of ours is waited for.
function report(channel, pid, status, signal, piped) {
  const request = ['reaped', pid, signal ? signals[signal] : (status & 0xff) << 8];
  try {
    if (piped) channel.call(request); else channel.post(request, ignore);
  } catch (fail) {
    if (!(fail instanceof Fail)) throw fail;
  }
}

// The words that Node's own message for the errno would not have.
function explained(fail, name) {
  return fail.errno === ERRNO.ENOEXEC && fail.hint ? `${name}: ${fail.hint}` : undefined;
}

// As Process.prototype.spawn: an errno, negative. Newer Nodes pass what older ones put into one
// object.
function spawn(channel, handle, real, args) {
  const positional = typeof args[0] === 'string';
  const [file, words, cwd, envPairs, stdio, flags, uid, gid] = args;
  const given = positional ? { file, args: words, cwd, envPairs, stdio, uid, gid } : args[0];
  const start = (options) => (positional ?
    real.call(handle, options.file, options.args, undefined, options.envPairs, options.stdio,
              flags, uid, gid) :
    real.call(handle, options));
  let started;
  try {
    started = enter(channel, given, start);
  } catch (fail) {
    if (!(fail instanceof Fail)) throw fail;
    // Node goes on with the streams of a child that could not be executed, so there must be such.
    start({ file: NOWHERE, args: [NOWHERE], envPairs: [], stdio: given.stdio });
    const words = explained(fail, 'spawn ENOEXEC');
    if (words === undefined) return -fail.errno;
    for (const stream of given.stdio ?? []) if (stream.type === 'pipe') stream.handle.close();
    handle.close();
    const [code] = describe(fail.errno);
    throw Object.assign(new Error(words), { errno: -fail.errno, code, syscall: 'spawn' });
  }
  const { pid, piped, result } = started;
  if (result < 0) {
    channel.post(['unborn', pid], ignore);
    return result;
  }
  const kernelPid = handle.pid;
  handle.pid = pid;
  kernelPids.set(pid, kernelPid);
  const { onexit } = handle;
  handle.onexit = function(status, signal) {
    kernelPids.delete(pid);
    report(channel, pid, status, signal, piped);
    return onexit.call(this, status, signal);
  };
  try {
    // Not posted: if this process ends next, its child must be watched by then.
    channel.call(['started', pid, kernelPid]);
  } catch (fail) {
    if (!(fail instanceof Fail)) throw fail;
  }
  return result;
}

// As the binding's `spawn_sync.spawn`.
function spawnSync(channel, real, options) {
  let started;
  try {
    started = enter(channel, options, real);
  } catch (fail) {
    if (!(fail instanceof Fail)) throw fail;
    const answer = { pid: 0, status: null, signal: null, output: null, error: -fail.errno };
    return saying(answer, explained(fail, `spawnSync ${options.file} ENOEXEC`));
  }
  const { pid, piped, result } = started;
  if (!result.pid) {
    channel.post(['unborn', pid], ignore);
    return result;
  }
  report(channel, pid, result.status, result.signal, piped);
  result.pid = pid;
  return result;
}

// Node turns the number in `error` into an Error and puts that in its place: with our words.
function saying(answer, words) {
  const { error: errno } = answer;
  const plain = { configurable: true, enumerable: true };
  if (words === undefined) return answer;
  return Object.defineProperty(answer, 'error', {
    ...plain,
    get: () => errno,
    set(error) {
      error.message = words;
      Object.defineProperty(answer, 'error', { ...plain, writable: true, value: error });
    },
  });
}

function execve(channel, real, execPath, args, env) {
  const strings = (values) => values.every((value) => typeof value === 'string');
  if (typeof execPath !== 'string' || !Array.isArray(args) || !strings(args) ||
      Object(env) !== env || !strings(Object.values(env))) {
    return real.call(process, execPath, args, env);  // For its errors.
  }
  const envPairs = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const file = posix.resolve(text(paths.cwd()), execPath);
  try {
    const spec = specOf({ file, args, envPairs }, []);
    const answer = channel.call(['exec', spec]);
    const words = answer.argv.map(text);
    const entries = answer.env.map(text).map((entry) => {
      const at = entry.indexOf('=');
      return [entry.slice(0, at), entry.slice(at + 1)];
    });
    return real.call(process, words[0], words, Object.fromEntries(entries));
  } catch (fail) {
    if (!(fail instanceof Fail)) throw fail;
    const [code, words] = describe(fail.errno);
    const message = `${code}: ${fail.errno === ERRNO.ENOEXEC ? fail.hint : words}, execve`;
    throw Object.assign(new Error(message), { errno: -fail.errno, code, syscall: 'execve' });
  }
}

module.exports = { execve, spawn, spawnSync };
