'use strict';
// Sets what waits at promises, and puts suspended functions where they stood.
//
// A suspended async function runs until the `await` at which it stood; there it waits for the
// promise that it waited for. So reactions are in the order in which they were.

const { frameOrigins, loopIterators } = require('./moving/originals');

// What a frame needs when it runs, once everything exists: the objects it refers to are made here.
function prepareFrame(at, record, id) {
  const frame = { record, id };
  frame.self = at.value(record.this);
  frame.locals = {};
  frame.values = record.locals.map(([name, value]) => [name, at.value(value)]);
  for (const [name, value] of frame.values) frame.locals[name] = value;
  frame.iterators = (record.iterators ?? []).map((value) => again(at.value(value)));
  frame.make = at.members(record)[`f${id}`]();
  frameOrigins.set(frame.make, record.origin);
  if (record.ok) {
    frame.ok = at.value(record.ok);
    frame.no = at.value(record.no);
  } else if (record.promise) {
    at.value(record.promise);
    const { resolve, reject } = at.promise(record.promise[0]);
    [frame.ok, frame.no] = [resolve, reject];
  } else if (record.k === 'frame') {
    new Promise((resolve, reject) => { [frame.ok, frame.no] = [resolve, reject]; });
  }
  return frame;
}

// An iterator for a loop whose first item was taken already: the loop takes one that is nothing.
function again(iterator) {
  let isFirst = true;
  const { next } = iterator;
  const own = {
    [Symbol.iterator]() { return own; },
    next(...args) {
      if (isFirst) { isFirst = false; return { done: false, value: undefined }; }
      return Reflect.apply(next, iterator, args);
    },
  };
  // A `break` closes what can be closed.
  if (iterator.return !== undefined) own.return = (...args) => iterator.return(...args);
  loopIterators.set(own, iterator);
  return own;
}

function run(frame, promise) {
  const { make, self, locals, iterators, ok, no } = frame;
  return Reflect.apply(make, self, [locals, promise, iterators, ok, no]);
}

// Makes all that reactions and frames refer to; nothing runs.
function prepare(at) {
  while (at.waiting.length) {
    for (const item of at.waiting.splice(0)) {
      for (const reaction of item.record.reactions) {
        const made = { promise: at.objects[item.id] };
        if (reaction.await) {
          const [id] = reaction.await;
          const record = at.state.objects[id];
          if (record.closed) continue;
          made.frame = prepareFrame(at, record, id);
        } else {
          made.fulfill = () => reaction.fulfill && at.value(reaction.fulfill);
          made.reject = () => reaction.reject && at.value(reaction.reject);
          made.fulfill();
          made.reject();
          if (reaction.then) {
            at.value(reaction.then);
            made.then = at.promise(reaction.then[0]);
          } else if (reaction.settle) {
            const [promise, resolve, reject] = reaction.settle.map((value) => at.value(value));
            made.then = { promise, resolve, reject };
          }
        }
        at.reactions.push(made);
      }
    }
    at.settle();
  }
}

// `then` on a promise that makes the promise which is there already.
function attach({ promise, fulfill, reject, then }) {
  function Species(executor) {
    executor(then ? then.resolve : () => {}, then ? then.reject : () => {});
    return then?.promise ?? {};
  }
  // The promise that `then` gives comes from the species of its constructor.
  const own = Reflect.getOwnPropertyDescriptor(promise, 'constructor');
  Object.defineProperty(promise, 'constructor', {
    configurable: true, value: { [Symbol.species]: Species },
  });
  try {
    Promise.prototype.then.call(promise, fulfill(), reject());
  } finally {
    delete promise.constructor;
    if (own) Object.defineProperty(promise, 'constructor', own);
  }
}

function start(at) {
  for (const { made, record, locals, iterators } of at.generators) {
    for (const [name, value] of record.locals) locals[name] = at.value(value);
    for (const value of record.iterators ?? []) iterators.push(again(at.value(value)));
    if (record.origin.ordinal >= 0) made.next();
  }
  for (const reaction of at.reactions) {
    if (reaction.frame) run(reaction.frame, reaction.promise);
    else attach(reaction);
  }
}

module.exports = { prepare, start };
