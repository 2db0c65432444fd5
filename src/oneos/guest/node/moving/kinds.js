'use strict';
// The record of each kind of ordinary object, and which kinds there are: anything whose nearest
// built-in prototype is not named here is refused.

const { types } = require('util');
const { internalBinding } = require('./internals');
const { stepOf, writeProperties, writePrototype } = require('./moving/properties');
const { commonSymbol, isPlainNumber } = require('./moving/graph');
const { hasPlainElements } = require('./moving/natives');

const { recordIterator } = require('./moving/iterators');

const {
  getConstructorName, getOwnNonIndexProperties, getProxyDetails, previewEntries,
} = internalBinding('util');

const TypedArray = Object.getPrototypeOf(Uint8Array);
const tagOf = Object.getOwnPropertyDescriptor(TypedArray.prototype, Symbol.toStringTag).get;
const ALL_PROPERTIES = 0;
const isIndex = (key) => typeof key === 'string' && /^(0|[1-9]\d*)$/.test(key);

// What the nearest built-in prototype of an object without internal slots may be.
const PLAIN = new Set([
  Object, Function, Array, Map, Set, WeakMap, WeakSet, Date, RegExp, Promise, String, Number,
  Boolean, BigInt, Symbol, ArrayBuffer, SharedArrayBuffer, DataView, TypedArray, Uint8Array, Int8Array,
  Uint8ClampedArray, Uint16Array, Int16Array, Uint32Array, Int32Array, Float32Array, Float64Array,
  BigInt64Array, BigUint64Array, Buffer, Error, TypeError, RangeError, SyntaxError, ReferenceError,
  EvalError, URIError, AggregateError,
].map(({ prototype }) => prototype));

// The keys that are no indices, which may be too many to list.
const namesOf = (object) => getOwnNonIndexProperties(object, ALL_PROPERTIES);

function recordArray(capture, array, id) {
  const { graph } = capture;
  // A tag may compare them with those of its next call, and each place of the source has its own.
  if (!Object.isExtensible(array) && Object.hasOwn(array, 'raw') && Array.isArray(array.raw)) {
    graph.refuse('the strings of a tagged template', id);
  }
  const record = { k: 'array' };
  writePrototype(graph, array, id, record, Array.prototype);
  const { length } = array;
  let dense = Object.isExtensible(array) && namesOf(array).length === 1 && hasPlainElements(array);
  const items = [];
  for (let i = 0; dense && i < length; i++) {
    const value = array[i];
    if (value === undefined && !Object.hasOwn(array, i)) dense = false;
    items.push(typeof value === 'string' || (typeof value === 'number' && isPlainNumber(value)) ?
      value : graph.value(value, id, `[${i}]`));
  }
  const own = Reflect.getOwnPropertyDescriptor(array, 'length');
  if (dense && own.writable) {
    record.items = items;
  } else {
    record.length = length;
    if (!own.writable) record.fixed = 1;
    writeProperties(graph, array, id, record, (key) => key === 'length');
  }
  return record;
}

function recordView(capture, view, id) {
  const { graph } = capture;
  const tag = types.isDataView(view) ? 'DataView' : tagOf.call(view);
  // Whether its length follows that of the buffer, nothing tells.
  if (view.buffer.resizable || view.buffer.growable) {
    graph.refuse('a view of a buffer that can be resized', id);
  }
  const record = { k: 'view', type: tag, offset: view.byteOffset };
  record.length = tag === 'DataView' ? view.byteLength : view.length;
  record.buffer = graph.value(view.buffer, id, '.buffer');
  writePrototype(graph, view, id, record, globalThis[tag].prototype);
  return writeProperties(graph, view, id, record, undefined, namesOf(view));
}

function recordBuffer(capture, buffer, id) {
  const { graph } = capture;
  if (types.isSharedArrayBuffer(buffer) && capture.sharesMemory()) {
    graph.refuse('a SharedArrayBuffer that a worker may have', id);
  }
  const shared = types.isSharedArrayBuffer(buffer);
  if (internalBinding('util').isArrayBufferDetached?.(buffer)) {
    graph.refuse('an ArrayBuffer that was transferred', id);
  }
  const record = { k: 'bytes', part: capture.parts.add(buffer) };
  if (shared) record.shared = 1;
  if (buffer.resizable || buffer.growable) record.max = buffer.maxByteLength;
  writePrototype(graph, buffer, id, record, (shared ? SharedArrayBuffer : ArrayBuffer).prototype);
  return writeProperties(graph, buffer, id, record);
}

function recordWeak(capture, weak, id) {
  const { graph } = capture;
  const isMap = types.isWeakMap(weak);
  const record = { k: isMap ? 'weakmap' : 'weakset', items: [] };
  writePrototype(graph, weak, id, record, (isMap ? WeakMap : WeakSet).prototype);
  writeProperties(graph, weak, id, record);
  // Which keys live is known when all else was walked.
  capture.weak.push([weak, id, previewEntries(weak)]);
  return record;
}

// The entries of weak maps whose keys the program reaches otherwise; true if there were new ones.
function settleWeak(capture) {
  const { graph } = capture;
  let any = false;
  for (const item of capture.weak) {
    const [weak, id, entries] = item;
    const record = graph.records[id];
    const isMap = types.isWeakMap(weak);
    const rest = [];
    for (let i = 0; i < entries.length; i += isMap ? 2 : 1) {
      if (!graph.ids.has(entries[i])) {
        rest.push(...entries.slice(i, i + (isMap ? 2 : 1)));
        continue;
      }
      any = true;
      record.items.push([graph.ids.get(entries[i])]);
      if (isMap) record.items.push(graph.value(entries[i + 1], id, '(weak value)'));
    }
    item[2] = rest;
  }
  return any;
}

function recordArguments(capture, list, id) {
  const { graph } = capture;
  const callee = Reflect.getOwnPropertyDescriptor(list, 'callee');
  if (callee && 'value' in callee && list.length && callee.value?.length) {
    graph.refuse('the arguments of a function that share its parameters', id);
  }
  const record = { k: 'arguments', strict: callee && !('value' in callee) ? 1 : 0 };
  return writeProperties(graph, list, id, record);
}

const boxed = [[types.isNumberObject, Number], [types.isStringObject, String],
  [types.isBooleanObject, Boolean], [types.isBigIntObject, BigInt], [types.isSymbolObject, Symbol]];

// The record of what has internal slots of the language; undefined for an object without.
function recordExotic(capture, object, id) {
  const { graph } = capture;
  const finish = (record, expected, skip) => {
    writePrototype(graph, object, id, record, expected);
    return writeProperties(graph, object, id, record, skip);
  };
  if (Array.isArray(object)) return recordArray(capture, object, id);
  if (types.isMap(object)) {
    const items = [];
    for (const [key, value] of Map.prototype.entries.call(object)) {
      items.push(graph.value(key, id, '(key)'),
                 graph.value(value, id, typeof key === 'string' ?
                   `.get(${JSON.stringify(key)})` : '(value)'));
    }
    return finish({ k: 'map', items }, Map.prototype);
  }
  if (types.isSet(object)) {
    const items = [];
    for (const value of Set.prototype.values.call(object)) {
      items.push(graph.value(value, id, '(item)'));
    }
    return finish({ k: 'set', items }, Set.prototype);
  }
  if (ArrayBuffer.isView(object)) return recordView(capture, object, id);
  if (types.isAnyArrayBuffer(object)) return recordBuffer(capture, object, id);
  if (types.isDate(object)) {
    const time = graph.value(Date.prototype.getTime.call(object), id);
    return finish({ k: 'date', time }, Date.prototype);
  }
  if (types.isRegExp(object)) {
    return finish({ k: 'regexp', source: object.source, flags: object.flags }, RegExp.prototype);
  }
  if (types.isNativeError(object)) return finish({ k: 'error' }, Error.prototype);
  if (types.isWeakMap(object) || types.isWeakSet(object)) return recordWeak(capture, object, id);
  const iterator = recordIterator(capture, object, id);
  if (iterator) return iterator;
  if (types.isArgumentsObject(object)) return recordArguments(capture, object, id);
  for (const [test, type] of boxed) {
    if (!test(object)) continue;
    const value = graph.value(type.prototype.valueOf.call(object), id, '(value)');
    return finish({ k: 'boxed', value }, type.prototype, (key) => type === String &&
      (key === 'length' || isIndex(key)));
  }
  return undefined;
}

function recordProxy(capture, proxy, id) {
  const [target, handler] = getProxyDetails(proxy);
  if (handler === null) capture.graph.refuse('a revoked proxy', id);
  const { graph } = capture;
  return {
    k: 'proxy', target: graph.value(target, id, '(proxy target)'),
    handler: graph.value(handler, id, '(proxy handler)'),
  };
}

// The symbols by which Node keeps things have to be those of the target's Node.
function checkSymbols({ builtins, graph }, object, id) {
  for (const key of Object.getOwnPropertySymbols(object)) {
    if (commonSymbol(key) || builtins.has(key)) continue;
    graph.refuse(`an object of Node with ${String(key)}`, id);
  }
}

function recordPlain(capture, object, id) {
  const { graph, builtins } = capture;
  for (let at = Reflect.getPrototypeOf(object); at !== null; at = Reflect.getPrototypeOf(at)) {
    if (types.isProxy(at)) break;
    if (!builtins.has(at)) continue;
    if (!PLAIN.has(at) && !capture.allowed(at)) {
      const name = Reflect.getOwnPropertyDescriptor(at, 'constructor')?.value?.name ||
        Reflect.get(at, Symbol.toStringTag) || getConstructorName(object);
      graph.refuse(`an object of kind ${name}`, id);
    }
    if (!PLAIN.has(at)) checkSymbols(capture, object, id);
    break;
  }
  if (types.isExternal(object)) graph.refuse('a pointer of a native addon', id);
  const record = { k: 'object' };
  writePrototype(graph, object, id, record, Object.prototype);
  return writeProperties(graph, object, id, record);
}

module.exports = { recordExotic, recordPlain, recordProxy, settleWeak, stepOf };
