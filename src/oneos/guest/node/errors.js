'use strict';
// Failed operations, and the errors that programs see.
//
// Inside the context a failure is a `Fail`: cheap, without a stack. At the edge, where a binding
// function returns to Node, it becomes the Error that Node would have made in C++: the same
// message, the same properties in the same order, and a stack that starts at the caller.

const { internalBinding, internalRequire } = require('./internals');

const ERRNO = internalBinding('constants').os.errno;

class Fail {
  // errno: positive, as in errno(3). syscall: only where it differs from the operation's own.
  // bare: the error names no path, as for a failed read. hint: what a person may try.
  constructor(errno, { syscall, bare = false, hint = '', path } = {}) {
    this.errno = errno;
    this.syscall = syscall;
    this.bare = bare;
    this.hint = hint;
    this.path = path;
  }
}

let names;
function describe(errno) {
  names ??= internalBinding('uv').getErrorMap();
  return names.get(-errno) ?? [`E${errno}`, 'unknown error'];
}

// Errors that were thrown here and not by C++: Node would show the line of ours that threw one.
const thrown = new WeakSet();

// What stands outside a program's own file system, and where the Runtime's words help.
const EXPLAINED = new Set([ERRNO.EHOSTUNREACH, ERRNO.EIO, ERRNO.ETIMEDOUT, ERRNO.ENOSYS]);

function pathText(path) {
  return typeof path === 'string' ? path : Buffer.from(path).toString();
}

// The Error for a Fail. `above`: the function whose callers the stack shows; null for none.
function toError(fail, syscall, path, dest, above) {
  const [code, words] = describe(fail.errno);
  syscall = fail.syscall ?? syscall;
  if (fail.bare) path = dest = undefined;
  if (fail.path !== undefined) path = fail.path;
  let message = `${code}: ${words}, ${syscall}`;
  if (path !== undefined) message += ` '${path = pathText(path)}'`;
  if (dest !== undefined) message += ` -> '${dest = pathText(dest)}'`;
  const limit = Error.stackTraceLimit;
  if (Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit')?.writable) {
    Error.stackTraceLimit = 0;
  }
  const error = new Error(message);
  if (Error.stackTraceLimit !== limit) Error.stackTraceLimit = limit;
  if (above) asIfThrownAbove(error, above);
  error.errno = -fail.errno;
  error.code = code;
  error.syscall = syscall;
  if (path !== undefined) error.path = path;
  if (dest !== undefined) error.dest = dest;
  if (fail.hint && EXPLAINED.has(fail.errno)) error.hint = fail.hint;
  return error;
}

// `error`, with a stack that starts at the caller of `above`.
function asIfThrownAbove(error, above) {
  if (Object(error) === error) {
    Error.captureStackTrace(error, above);
    thrown.add(error);
  }
  return error;
}

// When Node reports an uncaught error it shows the source line that threw it. Where that is a line
// of ours it becomes the caller's, as if C++ had thrown: the first line of the stack says which.
function installReport() {
  const arrow = internalBinding('util').privateSymbols?.arrow_message_private_symbol;
  const { setEnhanceStackForFatalException: set } = internalBinding('errors');
  const enhancers = internalRequire('internal/errors').fatalExceptionStackEnhancers;
  if (!arrow || !set || !enhancers) return;
  const correct = (error) => {
    const shown = error?.[arrow];
    if (!thrown.has(error) || typeof shown !== 'string' || !shown.startsWith(__dirname)) return;
    const caller = callerLine(error.stack);
    if (!caller) return;
    // Some ways of running a program have put it before the stack already.
    if (error.stack.startsWith(shown)) error.stack = caller + error.stack.slice(shown.length);
    error[arrow] = caller;
  };
  set((error) => { correct(error); return enhancers.beforeInspector(error); },
      enhancers.afterInspector);
}

// The arrow message for the first frame of a stack in one of Node's own files.
function callerLine(stack) {
  const [, id, line, column] = /^ {4}at .*\(node:(\S+):(\d+):(\d+)\)$/m.exec(stack) ?? [];
  const source = internalBinding('builtins').natives[id]?.split('\n')[line - 1];
  return source && `node:${id}:${line}\n${source}\n${' '.repeat(column - 1)}^\n`;
}

// What was thrown inside the context, as a Fail: errors of native calls keep their syscall.
function toFail(thrown) {
  if (thrown instanceof Fail) return thrown;
  if (thrown && typeof thrown.errno === 'number' && thrown.syscall) {
    return new Fail(-thrown.errno, { syscall: thrown.syscall });
  }
  throw thrown;
}

module.exports = { Fail, ERRNO, asIfThrownAbove, describe, installReport, toError, toFail };
