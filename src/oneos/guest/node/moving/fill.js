'use strict';
// Gives each object of an image what it holds, in any order: every other is made when it is met.

const { ACCESSOR, CONFIGURABLE, ENUMERABLE, WRITABLE } = require('./moving/properties');

const PLAIN = { writable: true, enumerable: true, configurable: true };

function define(at, object, [name, flags, first, second]) {
  const key = at.value(name);
  const property = { enumerable: Boolean(flags & ENUMERABLE),
                     configurable: Boolean(flags & CONFIGURABLE) };
  if (flags & ACCESSOR) {
    property.get = at.value(first);
    property.set = at.value(second);
  } else {
    property.value = at.value(first);
    property.writable = Boolean(flags & WRITABLE);
  }
  Reflect.defineProperty(object, key, property);
}

function properties(at, record, object) {
  const { p } = record;
  if (p) {
    for (let i = 0; i < p.length; i += 2) {
      const value = at.value(p[i + 1]);
      if (p[i] in object) Object.defineProperty(object, p[i], { ...PLAIN, value });
      else object[p[i]] = value;
    }
  }
  for (const item of record.d ?? []) define(at, object, item);
}

const ownKeys = (at, record) => {
  const keys = new Set();
  for (let i = 0; i < (record.p?.length ?? 0); i += 2) keys.add(record.p[i]);
  for (const [name] of record.d ?? []) keys.add(at.value(name));
  return keys;
};

function callable(at, record, made) {
  if (record.proto !== undefined) Reflect.setPrototypeOf(made, at.value(record.proto));
  if (record.prototype !== undefined) {
    const prototype = at.value(record.prototype);
    if (made.prototype !== prototype) made.prototype = prototype;
    if (record.fixedPrototype) Object.defineProperty(made, 'prototype', { writable: false });
  }
  for (const key of ['name', 'length']) {
    const value = record[key];
    const own = Reflect.getOwnPropertyDescriptor(made, key);
    if (value !== undefined && own?.value !== value) {
      Object.defineProperty(made, key, { value, writable: false, enumerable: false,
                                         configurable: true });
    }
  }
  if (record.class && record.private) {
    const hooks = at.hooks.get(at.idOf(made));
    for (const [name, value] of record.private) hooks.setStatic(made, name, at.value(value));
  }
}

const FILL = {
  array(at, record, array) {
    if (record.items) {
      const { items } = record;
      for (let i = 0; i < items.length; i++) {
        const item = items[i];
        array.push(item !== null && typeof item === 'object' ? at.value(item) : item);
      }
    } else {
      array.length = record.length;
    }
  },
  map(at, { items }, map) {
    for (let i = 0; i < items.length; i += 2) {
      Map.prototype.set.call(map, at.value(items[i]), at.value(items[i + 1]));
    }
  },
  set(at, { items }, set) {
    for (const item of items) Set.prototype.add.call(set, at.value(item));
  },
  weakmap(at, { items }, map) {
    for (let i = 0; i < items.length; i += 2) {
      WeakMap.prototype.set.call(map, at.value(items[i]), at.value(items[i + 1]));
    }
  },
  weakset(at, { items }, set) {
    for (const item of items) WeakSet.prototype.add.call(set, at.value(item));
  },
  promise(at, { state, result }, promise) {
    if (state === 'pending') return;
    const value = at.value(result);
    const { resolve, reject } = at.promise(at.idOf(promise));
    if (state === 'fulfilled') {
      resolve(value);
    } else {
      reject(value);
      // It was reported when it happened, or is handled.
      Promise.prototype.then.call(promise, undefined, () => {});
    }
  },
  controller(at, { signal }) { at.value(signal); },
  group(at, { values }) {
    for (const item of values) {
      if (Array.isArray(item) && item.length === 0) continue;
      at.value(item);
    }
  },
  readline(at, { state, listeners }) {
    for (const [, value] of state) at.value(value);
    for (const pair of listeners) for (const value of pair) at.value(value);
  },
  stream(at, { listeners }) {
    for (const pair of listeners) for (const value of pair) at.value(value);
  },
  generator(at, record) {
    if (record.closed) return;
    for (const [, value] of record.locals) at.value(value);
    for (const value of record.iterators ?? []) at.value(value);
  },
  closure: callable,
  member: callable,
  bound(at, record, made) { callable(at, { name: record.name, length: record.length }, made); },
  timeout(at, record, timer) {
    timer._onTimeout = at.value(record.call);
    if (record.args?.length) timer._timerArgs = record.args.map((arg) => at.value(arg));
  },
  immediate(at, record, immediate) {
    if (record.dead) return;
    immediate._onImmediate = at.value(record.call);
    immediate._argv = record.args.map((arg) => at.value(arg));
  },
};

function fill(at, id) {
  const record = at.state.objects[id];
  const object = at.objects[id];
  FILL[record.k]?.(at, record, object);
  const fresh = at.fresh.get(object);
  properties(at, record, object);
  if (fresh) {
    // What the program took away from a class or its prototype, or gave it later.
    const keys = ownKeys(at, record);
    for (const key of fresh.keys()) {
      if (!keys.has(key) && !['length', 'name', 'prototype'].includes(key)) {
        Reflect.deleteProperty(object, key);
      }
    }
  }
  for (const [maker, fields] of record.stamps ?? []) {
    const hooks = at.hooks.get(maker[0]);
    for (const [name, value] of fields) hooks.set(object, name, at.value(value));
  }
  if (record.fixed) Object.defineProperty(object, 'length', { writable: false });
  // Private members were given to it already; nothing more is to come.
  if (record.x) at.closing.push(object);
}

module.exports = { define, fill };
