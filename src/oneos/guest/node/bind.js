'use strict';
// Putting operations in the place of the fs binding's functions.
//
// Each function of the binding is called in one of three manners: without a request it returns or
// throws, with `kUsePromises` it returns a promise, with an FSReqCallback it calls that one's
// `oncomplete`. `replace` gives an operation all three, with errors as Node makes them.

const { AsyncResource } = require('async_hooks');
const { setImmediate } = require('timers');
const { Fail, ERRNO, asIfThrownAbove, describe, toError } = require('./errors');
const { inTurn } = require('./files');
const { binding, original, runAsync, runSync } = require('./steps');

const { kUsePromises } = binding;

// A task is what one call is to do:
//   operation: the generator; syscall, path, dest: for its error;
//   quiet: answer undefined instead of ENOENT; entry: a remote file whose position it moves.

// Whether this Node takes ENOTDIR too for a file that is just not there, as newer ones do.
let takesNotDir;
function isQuiet({ errno }) {
  if (errno !== ERRNO.ENOTDIR) return errno === ERRNO.ENOENT;
  if (takesNotDir === undefined) {
    try {
      original.stat('/dev/null/x', false, undefined, false);
      takesNotDir = true;
    } catch {
      takesNotDir = false;
    }
  }
  return takesNotDir;
}

function now(task, context, above) {
  try {
    return runSync(task.operation);
  } catch (fail) {
    if (!(fail instanceof Fail)) throw fail;
    if (task.quiet && isQuiet(fail)) return undefined;
    if (context !== null && typeof context === 'object') {
      context.errno = -fail.errno;
      context.code = describe(fail.errno)[0];
      context.syscall = fail.syscall ?? task.syscall;
      return undefined;
    }
    throw toError(fail, task.syscall, task.path, task.dest, above);
  }
}

function start(task, done) {
  if (task.entry) inTurn(task.entry, (next) => runAsync(task.operation, next), done);
  else runAsync(task.operation, done);
}

function errorOf(task, fail) {
  return fail instanceof Fail ? toError(fail, task.syscall, task.path, task.dest, null) : fail;
}

function promise(task) {
  return new Promise((resolve, reject) => {
    start(task, (fail, value) => {
      if (!fail) resolve(value);
      else if (task.quiet && fail.errno === ERRNO.ENOENT) resolve(undefined);
      else reject(errorOf(task, fail));
    });
  });
}

// Complete an FSReqCallback from a turn of its own, in the context it was made in.
function complete(resource, request, error, value) {
  const args = error ? [error] : value === undefined ? [null] : [null, value];
  setImmediate(() => resource.runInAsyncScope(request.oncomplete, request, ...args));
}

function deliver(request, value) {
  complete(new AsyncResource('FSREQCALLBACK'), request, null, value);
}

function later(task, request) {
  const resource = new AsyncResource('FSREQCALLBACK');
  start(task, (fail, value) => complete(resource, request, fail && errorOf(task, fail), value));
}

const same = (error) => error;

// An error of the host's kernel, with the path as the program sees it.
function named(error, { laid, shown }) {
  if (!error || typeof error !== 'object' || String(error.path) !== String(laid)) return error;
  error.path = shown;
  if (error instanceof Error) {
    const { message, stack } = error;
    error.message = message.replace(laid, shown);
    error.stack = stack.replace(message, error.message);
  }
  return error;
}

// Replace `target[name]`. `argc`: the arguments before the request. `begin(args)`: the task, or
// undefined for the native function, with `args` as it then stands.
function replace(target, name, argc, begin) {
  const nativeFunction = target[name];
  if (typeof nativeFunction !== 'function') return;
  const replacement = function(...args) {
    const task = begin(args);
    const request = args[argc];
    if (task === undefined || task.laid) {
      const told = task ? (error) => named(error, task) : same;
      if (task && request?.oncomplete) {
        const done = request.oncomplete;
        request.oncomplete = function(error, ...rest) { done.call(this, told(error), ...rest); };
      }
      try {
        const result = nativeFunction.apply(target, args);
        if (task) told(args[argc + 1]);  // Some functions report into an object.
        return task && request === kUsePromises ?
          result.catch((error) => { throw told(error); }) : result;
      } catch (error) {
        throw asIfThrownAbove(told(error), replacement);
      }
    }
    if (request === undefined) return now(task, args[argc + 1], replacement);
    if (request === kUsePromises) return promise(task);
    return later(task, request);
  };
  target[name] = replacement;
}

module.exports = { complete, deliver, now, replace };
