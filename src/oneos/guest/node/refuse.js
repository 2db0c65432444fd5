'use strict';
// What this version leaves out, refused with an error that says so.
//
// Each of these would reach the host by a way of its own: files read or written by Node's C++ part.
// Refused at the binding, so that no way of calling it slips past.

const { ERRNO, Fail, toError } = require('./errors');
const { beforeLoading, internalBinding } = require('./internals');
const { NOWHERE } = require('./paths');

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
  const native = fs.openAsBlob;
  if (!native) return;
  fs.openAsBlob = function openAsBlob(path, options = {}) {
    const type = options?.type || '';
    // For Node's own errors, where there is nothing.
    if (typeof path === 'number') return native(path, options);
    if (typeof type !== 'string' || Object(options) !== options) return native(NOWHERE, options);
    let bytes;
    try {
      bytes = fs.readFileSync(path);
    } catch (error) {
      if (error?.syscall === undefined) throw error;
      return native(NOWHERE, options);
    }
    const { Blob } = require('buffer');
    return Promise.resolve(new Blob([bytes], { type }));
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
  refuseNativeFiles();
  replaceBlobs();
  replaceLoadEnvFile();
}

module.exports = { install, refusal };
