'use strict';
// An empty object of each kind that needs nothing but its record; by the kind's name.

const { internalRequire } = require('./internals');
const EventEmitter = require('events');
const { makeReadline } = require('./moving/readlines');

const NAMES = ['stdin', 'stdout', 'stderr'];
const held = new WeakMap();
const boxes = { number: Number, string: String, boolean: Boolean, bigint: BigInt, symbol: Symbol };

module.exports = {
  symbol: ({ description }) => Symbol(description),
  object: () => ({}),
  array: () => [],
  map: () => new Map(),
  set: () => new Set(),
  weakmap: () => new WeakMap(),
  weakset: () => new WeakSet(),
  date: ({ time }, at) => new Date(at.value(time)),
  regexp: ({ source, flags }) => new RegExp(source, flags),

  error: () => {
    const made = new Error();
    for (const key of Reflect.ownKeys(made)) Reflect.deleteProperty(made, key);
    return made;
  },

  bytes: ({ part, shared, max }, at) => {
    const bytes = at.bytesOf(part);
    const Type = shared ? SharedArrayBuffer : ArrayBuffer;
    const made = max === undefined ? new Type(bytes.length) :
      new Type(bytes.length, { maxByteLength: max });
    new Uint8Array(made).set(bytes);
    return made;
  },

  view: ({ type, buffer, offset, length }, at) =>
    new globalThis[type](at.value(buffer), offset, length),

  arguments: ({ strict }) => (strict ? (function() { 'use strict'; return arguments; })() :
    (function() { return arguments; })()),

  boxed: ({ value }, at) => {
    const primitive = at.value(value);
    return boxes[typeof primitive] === undefined ? undefined : Object(primitive);
  },

  proxy: ({ target, handler }, at) => new Proxy(at.value(target), at.value(handler)),

  bound: (record, at) => Reflect.apply(
    Function.prototype.bind, at.value(record.target),
    [at.value(record.this), ...record.args.map((arg) => at.value(arg))]),

  // The wrapper is what `once` gives to `on`.
  once: ({ target, type, listener }, at) => {
    const emitter = at.value(target);
    let made;
    const own = Reflect.getOwnPropertyDescriptor(emitter, 'on');
    Object.defineProperty(emitter, 'on', {
      configurable: true, value: (_, wrapper) => { made = wrapper; },
    });
    try {
      Reflect.apply(EventEmitter.prototype.once, emitter, [at.value(type), at.value(listener)]);
    } finally {
      delete emitter.on;
      if (own) Object.defineProperty(emitter, 'on', own);
    }
    return made;
  },

  iterator: (record, at) => {
    if (record.done) {
      const spent = { array: [], map: new Map(), set: new Set() }[record.of].values();
      spent.next();
      return spent;
    }
    // It is advanced over as many entries as there are before its place, once they are there.
    const list = at.value(record.over);
    const prototype = { array: Array.prototype, map: Map.prototype, set: Set.prototype }[record.of];
    const made = Reflect.apply(prototype[record.kind], list, []);
    at.late.push(() => { for (let i = 0; i < record.index; i++) made.next(); });
    return made;
  },

  timeout: (record, at) => {
    const { Timeout, kRefed } = internalRequire('internal/timers');
    if (record.dead) {
      const made = new Timeout(() => {}, record.after > 0 ? record.after : 1, [], false, false);
      made._destroyed = true;
      made._idleTimeout = -1;
      made[kRefed] = Boolean(record.ref);
      return made;
    }
    const made = new Timeout(
      () => {}, record.after, [], record.repeat !== null, Boolean(record.ref));
    at.timeouts.push([made, record]);
    return made;
  },

  immediate: (record, at) => {
    const { Immediate } = internalRequire('internal/timers');
    if (record.dead) {
      const made = setImmediate(() => {});
      clearImmediate(made);
      return made;
    }
    const made = new Immediate(() => {}, []);
    at.immediates.push([made, record]);
    return made;
  },

  stream: ({ fd }) => process[NAMES[fd]],
  readline: makeReadline,
  url: ({ text }) => new URL(text),
  search: ({ text, of }, at) => (of ? at.value(of).searchParams : new URLSearchParams(text)),
  encoder: () => new TextEncoder(),
  decoder: ({ encoding, fatal, ignoreBOM }) => new TextDecoder(encoding, { fatal, ignoreBOM }),
  domexception: ({ message, name }) => new DOMException(message, name),
  controller: () => new AbortController(),
  locale: ({ text }) => new Intl.Locale(text),
  intl: ({ name, args }) => new Intl[name](...args),
  format: ({ of, name, key }, at) => Reflect.get(Intl[name].prototype, key, at.value(of)),

  weakref: ({ target, proto }, at) => {
    const object = at.value(target);
    const made = new WeakRef(object);
    // Those of Node's own: something else of Node held the object, which is not in the image.
    if (proto !== undefined) held.set(made, object);
    return made;
  },
};
