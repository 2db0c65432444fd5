'use strict';
// What this version leaves out, refused with an error that says so.
//
// Each of these would reach the host by a way of its own: programs started, sockets by a path,
// files watched, read or written by Node's C++ part. Refused at the binding, so that no way of
// calling it slips past.

const { ERRNO, Fail, toError } = require('./errors');
const { beforeLoading, internalBinding } = require('./internals');

const NOWHERE = '/proc/self/no-program';
const SPAWNING = 'starting programs from inside a program comes with a later version of OneOS';

function refusal(syscall, message, above) {
  const error = toError(new Fail(ERRNO.ENOSYS), syscall, undefined, undefined, above);
  error.message = `${error.message}: ${message}`;
  Error.captureStackTrace(error, above);
  return error;
}

// A function that throws ENOSYS with `message`.
function refused(syscall, message) {
  return function refuse() { throw refusal(syscall, message, refuse); };
}

function refuseSpawn() {
  const { Process } = internalBinding('process_wrap');
  const { owner_symbol: owner } = internalBinding('symbols');
  // A program that cannot be started is reported as Node reports a missing one: later, by the
  // 'error' event or the callback. Only the errno and the words are ours. That it is missing is
  // true: a path that nowhere exists is what the host is asked to start.
  const { spawn } = Process.prototype;
  Process.prototype.spawn = function(...args) {
    const { onexit } = this;
    this.onexit = (status, signal) => {
      const child = this[owner];
      child.emit = function(event, error, ...rest) {
        delete child.emit;
        if (event === 'error') error.message += `: ${SPAWNING}`;
        return child.emit(event, error, ...rest);
      };
      onexit.call(this, -ERRNO.ENOSYS, signal);
    };
    // Newer Nodes pass what older ones put into one object.
    const [first, , , , stdio] = args;
    if (typeof first === 'string') spawn.call(this, NOWHERE, [NOWHERE], undefined, [], stdio, 0);
    else spawn.call(this, { file: NOWHERE, args: [NOWHERE], envPairs: [], stdio: first.stdio });
    return -ERRNO.ENOENT;
  };
  internalBinding('spawn_sync').spawn = function spawn() {
    const answer = { pid: 0, status: null, signal: null, output: null };
    // Node turns the number into an Error and puts that in its place.
    Object.defineProperty(answer, 'error', {
      configurable: true,
      enumerable: true,
      get: () => -ERRNO.ENOSYS,
      set(error) {
        error.message += `: ${SPAWNING}`;
        Object.defineProperty(answer, 'error', {
          configurable: true, enumerable: true, writable: true, value: error,
        });
      },
    });
    return answer;
  };
  if (process.execve) process.execve = refused('execve', SPAWNING);
}

function refuseWatching() {
  const { FSEvent } = internalBinding('fs_event_wrap');
  const { StatWatcher } = internalBinding('fs');
  FSEvent.prototype.start = () => -ERRNO.ENOSYS;
  StatWatcher.prototype.start = () => -ERRNO.ENOSYS;
}

// Sockets with a name in the file system; abstract ones have none in the tree either.
function refuseLocalSockets() {
  const { Pipe } = internalBinding('pipe_wrap');
  for (const name of ['bind', 'bind2']) {
    if (Pipe.prototype[name]) Pipe.prototype[name] = () => -ERRNO.ENOTSUP;
  }
  for (const name of ['connect', 'connect2']) {
    if (Pipe.prototype[name]) Pipe.prototype[name] = () => -ERRNO.ENOTSUP;
  }
}

// What Node's C++ part would read and write on the host by itself.
function refuseNativeFiles() {
  const later = (what) => `${what} comes with a later version of OneOS`;
  beforeLoading('v8', () => {
    internalBinding('heap_utils').triggerHeapSnapshot =
      refused('writeHeapSnapshot', later('writing heap snapshots'));
  });
  beforeLoading('internal/process/report', () => {
    internalBinding('report').writeReport = refused('writeReport', later('writing reports'));
  });
  beforeLoading('wasi', () => {
    const binding = internalBinding('wasi');
    binding.WASI = class WASI extends binding.WASI {
      constructor(args, env, preopens, stdio) {
        if (preopens.length) throw refusal('wasi', later('giving directories to WASI'), new.target);
        super(args, env, preopens, stdio);
      }
    };
  });
  beforeLoading('sqlite', () => {
    // SQLite opens its files in C: only a database in memory that names no other is left.
    const binding = internalBinding('sqlite');
    const refuse = (above) => refusal('open', later('a SQLite file'), above);
    const checked = (sql, above) => {
      if (/\battach\b|\bvacuum\b.*\binto\b/is.test(sql)) throw refuse(above);
      return sql;
    };
    const { DatabaseSync: Native } = binding;
    binding.DatabaseSync = class DatabaseSync extends Native {
      constructor(path, ...rest) {
        if (path !== ':memory:') throw refuse(new.target);
        super(path, ...rest);
      }

      exec(sql) { return super.exec(checked(sql, this.exec)); }
      prepare(sql, ...rest) { return super.prepare(checked(sql, this.prepare), ...rest); }
    };
    if (binding.backup) binding.backup = refused('open', later('a SQLite file'));
  });
  const Module = require('module');
  if (Module.enableCompileCache) {
    // The cache would be written to the host's /tmp.
    const { DISABLED } = Module.constants.compileCacheStatus;
    Module.enableCompileCache = () => ({ status: DISABLED });
  }
}

// `fs.openAsBlob` maps the host's file in C++: read here instead.
function replaceBlobs() {
  const fs = require('fs');
  if (!fs.openAsBlob) return;
  fs.openAsBlob = async function openAsBlob(path, { type = '' } = {}) {
    const { Blob } = require('buffer');
    return new Blob([await fs.promises.readFile(path)], { type });
  };
}

function replaceLoadEnvFile() {
  if (!process.loadEnvFile) return;
  process.loadEnvFile = function loadEnvFile(path = '.env') {
    const values = require('util').parseEnv(require('fs').readFileSync(path, 'utf8'));
    for (const [name, value] of Object.entries(values)) process.env[name] ??= value;
  };
}

function install() {
  refuseSpawn();
  refuseWatching();
  refuseLocalSockets();
  refuseNativeFiles();
  replaceBlobs();
  replaceLoadEnvFile();
}

module.exports = { install, refusal };
