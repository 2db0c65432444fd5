'use strict';
// What this version leaves out, refused with an error that says so.
//
// Each of these would reach the host by a way of its own: programs started, sockets by a path,
// files watched, read or written by Node's C++ part. Refused at the binding, so that no way of
// calling it slips past.

const { ERRNO, Fail, toError } = require('./errors');
const { internalBinding } = require('./internals');
const { locate } = require('./paths');

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

function refuseNativeFiles() {
  const later = (what) => `${what} comes with a later version of OneOS`;
  internalBinding('heap_utils').triggerHeapSnapshot =
    refused('writeHeapSnapshot', later('writing heap snapshots'));
  const report = internalBinding('report');
  report.writeReport = refused('writeReport', later('writing reports'));
  const wasi = internalBinding('wasi');
  const { WASI } = wasi;
  wasi.WASI = class extends WASI {
    constructor(args, env, preopens, stdio) {
      if (preopens.length) throw refusal('wasi', later('giving directories to WASI'), new.target);
      super(args, env, preopens, stdio);
    }
  };
  const Module = require('module');
  if (Module.enableCompileCache) {
    // The cache would be written to the host's /tmp.
    const { DISABLED } = Module.constants.compileCacheStatus;
    Module.enableCompileCache = () => ({ status: DISABLED });
  }
}

// SQLite opens its files in C; a database in memory needs none.
function refuseDatabases() {
  const binding = optionalBinding('sqlite');
  if (!binding?.DatabaseSync) return;
  const { DatabaseSync } = binding;
  binding.DatabaseSync = class extends DatabaseSync {
    constructor(path, ...rest) {
      if (path !== ':memory:' && !locate(String(path)).native) {
        throw refusal('open', 'SQLite files in the tree come with a later version of OneOS',
                      binding.DatabaseSync);
      }
      super(path, ...rest);
    }
  };
  Object.defineProperty(binding.DatabaseSync, 'name', { value: 'DatabaseSync' });
}

function optionalBinding(name) {
  try {
    return internalBinding(name);
  } catch {
    return undefined;  // This Node has no such part.
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
  refuseDatabases();
  replaceBlobs();
  replaceLoadEnvFile();
}

module.exports = { install, refusal };
