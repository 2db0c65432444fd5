'use strict';
// Whether the built-in objects of the language are as they were made, but for the functions that
// the program put there, which move with it. Compared are hashes of keys, kinds and plain values.

const NAMES = ['Object', 'Function', 'Array', 'String', 'Number', 'Boolean', 'Symbol', 'BigInt',
  'Date', 'RegExp', 'Promise', 'Map', 'Set', 'WeakMap', 'WeakSet', 'WeakRef', 'Error', 'TypeError',
  'RangeError', 'SyntaxError', 'EvalError', 'URIError', 'ReferenceError', 'AggregateError', 'ArrayBuffer',
  'Uint8Array', 'Int8Array', 'Uint16Array', 'Int16Array', 'Uint32Array', 'Int32Array',
  'Float32Array', 'Float64Array', 'DataView', 'JSON', 'Math', 'Reflect', 'Proxy', 'Intl', 'Atomics'];

// FNV-1a, 32 bits.
function hash(text) {
  let sum = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
  return sum >>> 0;
}

function describe(object, left) {
  const words = [];
  for (const key of Reflect.ownKeys(object)) {
    // Many programs set it; it moves by itself.
    if (object === Error && key === 'stackTraceLimit') continue;
    if (left.get(object)?.has(key)) continue;
    const { value, get, set } = Reflect.getOwnPropertyDescriptor(object, key);
    const isPlain = value === null || (typeof value !== 'object' && typeof value !== 'function');
    const kind = isPlain ? String(value) : typeof value;
    words.push(`${String(key)}:${kind}${get ? 'g' : ''}${set ? 's' : ''}`);
  }
  // A key that was changed and then put back comes last.
  return hash(words.sort().join('\n'));
}

// name -> hashes of the object and its prototype; `patches`: [object, key] to be left out.
function shapes(patches) {
  const left = new Map();
  for (const [object, key] of patches) {
    if (!left.has(object)) left.set(object, new Set());
    left.get(object).add(key);
  }
  const found = {};
  for (const name of NAMES) {
    const object = globalThis[name];
    const { prototype } = object;
    found[name] = [describe(object, left), prototype ? describe(prototype, left) : 0];
  }
  return found;
}

// The name of an object that is not as it is in this Node; undefined if there is none.
function difference(given) {
  const here = shapes([]);
  return NAMES.find((name) => String(given[name]) !== String(here[name]));
}

module.exports = { difference, shapes };
