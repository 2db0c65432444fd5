'use strict';
// Worker threads: each runs in the same context, over connections of its own.
//
// A worker gets the settings by Node's environment data and the working directory by a shared
// buffer, since only the main thread changes it. Threads that run no preload, as the hook threads
// of `module.register` do, would see the host: they are refused.

const { internalBinding } = require('./internals');
const limits = require('./limits');
const { cwd } = require('./paths');

const KEY = 'oneos:context';
const PRELOAD = `${__dirname}/preload.js`;

// The working directory as threads share it: its length in bytes, and the bytes.
let shared;

function publish() {
  if (!shared) return;
  const bytes = Buffer.from(cwd());
  Buffer.from(shared, 4).set(bytes.subarray(0, limits.PATH_BYTES_MAX));
  Atomics.store(new Int32Array(shared, 0, 1), 0, bytes.length);
}

function readShared() {
  const length = Atomics.load(new Int32Array(shared, 0, 1), 0);
  return Buffer.from(Buffer.from(shared, 4, length)).toString();
}

function contextual(Worker, settings) {
  return class extends Worker {
    constructor(url, env, execArgv, resourceLimits, trackFds, isInternal, ...rest) {
      if (isInternal) {
        const { refusal } = require('./refuse');
        throw refusal('register', 'module hooks in a thread come with a later version of OneOS; ' +
                      'module.registerHooks works', new.target);
      }
      // Without own options a worker inherits the preload.
      if (Array.isArray(execArgv)) {
        execArgv = ['--expose-internals', '--require', PRELOAD, ...execArgv];
      }
      super(url, env, execArgv, resourceLimits, trackFds, isInternal, ...rest);
      shared ??= new SharedArrayBuffer(4 + limits.PATH_BYTES_MAX);
      publish();
      require('worker_threads').setEnvironmentData(KEY, { settings, shared });
    }
  };
}

function install(settings) {
  const binding = internalBinding('worker');
  binding.Worker = contextual(binding.Worker, settings);
  Object.defineProperty(binding.Worker, 'name', { value: 'Worker' });
}

// In a worker: the settings it was given. `setCwd` is how paths learns of the main thread's moves.
function inherited() {
  const data = require('worker_threads').getEnvironmentData(KEY);
  if (!data) return undefined;
  shared = data.shared;
  return { ...data.settings, cwd: readShared() };
}

module.exports = { inherited, install, publish, readShared };
