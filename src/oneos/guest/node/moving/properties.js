'use strict';
// The own properties, prototype and extensibility of an object, into its record.
//
// `p` is a flat list of names and values where all are plain; else `d` lists
// [key, flags, value] or [key, flags, getter, setter]. `proto` is left out where it is as expected.

const { isNativeError } = require('util').types;

const WRITABLE = 1;
const ENUMERABLE = 2;
const CONFIGURABLE = 4;
const ACCESSOR = 8;

const stepOf = (key) => (typeof key === 'symbol' ? `[${String(key)}]` :
  /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`);

function flagsOf(property) {
  return (property.writable ? WRITABLE : 0) | (property.enumerable ? ENUMERABLE : 0) |
    (property.configurable ? CONFIGURABLE : 0) | ('value' in property ? 0 : ACCESSOR);
}

const PLAIN = WRITABLE | ENUMERABLE | CONFIGURABLE;

// `skip(key)`: which keys are said otherwise; `keys`: all there are, where not all are asked for.
function writeProperties(graph, object, id, record, skip, keys = Reflect.ownKeys(object)) {
  const found = [];
  let plain = true;
  for (const key of keys) {
    if (skip?.(key)) continue;
    if (typeof key === 'symbol' && key.description === 'kResourceStore') {
      graph.refuse('what belongs to an AsyncLocalStorage', id);
    }
    let property = Reflect.getOwnPropertyDescriptor(object, key);
    // V8 shows the stack by an accessor of its own in some versions; it is made when first read.
    if (key === 'stack' && isNativeError(object) && property.get) {
      property = { value: object.stack, writable: true, enumerable: false, configurable: true };
    }
    if (typeof key !== 'string' || flagsOf(property) !== PLAIN) plain = false;
    found.push([key, property]);
  }
  if (found.length === 0) {
    // Nothing to write.
  } else if (plain) {
    record.p = [];
    for (const [key, { value }] of found) {
      record.p.push(key, typeof value === 'string' ? value : graph.value(value, id, stepOf(key)));
    }
  } else {
    record.d = found.map(([key, property]) => {
      const step = stepOf(key);
      const name = typeof key === 'string' ? key : graph.value(key, id, '[symbol]');
      const head = [name, flagsOf(property)];
      return 'value' in property ? [...head, graph.value(property.value, id, step)] :
        [...head, graph.value(property.get, id, `${step}(get)`),
         graph.value(property.set, id, `${step}(set)`)];
    });
  }
  if (!Object.isExtensible(object)) record.x = 1;
  return record;
}

function writePrototype(graph, object, id, record, expected) {
  const prototype = Reflect.getPrototypeOf(object);
  if (prototype !== expected) record.proto = graph.value(prototype, id, '.__proto__');
  return record;
}

module.exports = {
  ACCESSOR, CONFIGURABLE, ENUMERABLE, PLAIN, WRITABLE, flagsOf, stepOf, writeProperties,
  writePrototype,
};
