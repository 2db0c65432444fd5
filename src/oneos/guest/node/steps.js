'use strict';
// One description of each operation, run in both of Node's manners.
//
// An operation is a generator. It yields what it needs done, a request to the Runtime (an array)
// or a native call of the fs binding, and gets back the result or a thrown Fail. `runSync` blocks
// for each step; `runAsync` lets the event loop go on between them.

const { internalBinding } = require('./internals');
const { toFail } = require('./errors');

const binding = internalBinding('fs');
const { kUsePromises } = binding;

// The binding's functions as they were, before any is replaced.
const original = { ...binding };

class Native {
  constructor(name, args) { this.name = name; this.args = args; }
}

class Post {
  constructor(request) { this.request = request; }
}

// Steps an operation may yield besides requests.
const native = (name, ...args) => new Native(name, args);
const post = (request) => new Post(request);  // Its result and its failure do not matter.

let channel;
let pool;

function use(syncChannel, asyncPool) {
  channel = syncChannel;
  pool = asyncPool;
}

const ignore = () => {};

function nativeNow({ name, args }) {
  if (name !== 'writeBuffer') return original[name](...args);
  // The one of ours that reports through a context object, on every supported Node.
  const context = {};
  const count = original.writeBuffer(...args, undefined, context);
  if (context.errno !== undefined) throw context;
  return count;
}

function perform(step) {
  if (Array.isArray(step)) return channel.call(step);
  if (step instanceof Post) { channel.post(step.request, ignore); return undefined; }
  try {
    return nativeNow(step);
  } catch (error) {
    throw toFail(error);
  }
}

// The operation's result. Throws Fail.
function runSync(operation) {
  let state = operation.next();
  while (!state.done) {
    let value;
    try {
      value = perform(state.value);
    } catch (fail) {
      state = operation.throw(fail);
      continue;
    }
    state = operation.next(value);
  }
  return state.value;
}

function dispatch(step, done) {
  if (Array.isArray(step)) {
    pool.call(step, done);
  } else if (step instanceof Post) {
    // Waited for: what follows may take another connection and must not come first.
    pool.call(step.request, () => done(null, undefined));
  } else {
    original[step.name](...step.args, kUsePromises).then(
      (value) => done(null, value), (error) => done(toFail(error)));
  }
}

// `done(fail, result)`, perhaps before this returns.
function runAsync(operation, done) {
  const advance = (method, value) => {
    let state;
    try {
      state = operation[method](value);
    } catch (fail) {
      done(fail);
      return;
    }
    if (state.done) done(null, state.value);
    else dispatch(state.value, (fail, result) => {
      if (fail) advance('throw', fail); else advance('next', result);
    });
  };
  advance('next');
}

// Whether the channel already knows that there is nothing at `path` (bytes) of the tree.
const isKnownMissing = (path) => channel.isKnownMissing(path);

// Whether it was asked already what is at `path` (bytes).
const isForeseen = (path, follow) => channel.isForeseen(['stat', path, follow]);

module.exports = { binding, isForeseen, isKnownMissing, native, original, post, runAsync, runSync, use };
