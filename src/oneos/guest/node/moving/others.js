'use strict';
// Node's own kinds of objects that move: each by what makes it again.

const EventEmitter = require('events');
const { internalRequire } = require('./internals');
const { types } = require('util');
const { intlTypes, recordIntl } = require('./moving/intl');
const { probes } = require('./moving/probes');
const { topOf } = require('./moving/library');
const { writeProperties, writePrototype } = require('./moving/properties');

// Prototypes of Node on which plain objects may stand, since all they are is properties.
const PLAIN = new Set([EventEmitter.prototype, Object.getPrototypeOf(function* () {}).prototype]);

const isLoaded = (id) => process.moduleLoadList.includes(`NativeModule ${id}`);

// Those of streams, as far as their modules are loaded.
function streamPrototypes() {
  if (!isLoaded('internal/streams/readable')) return [];
  const stream = internalRequire('stream');
  const { Readable, Writable, Duplex, Transform, PassThrough, Stream } = stream;
  const types = [Readable, Writable, Duplex, Transform, PassThrough, Stream,
                 Readable.ReadableState, Writable.WritableState,
                 internalRequire('string_decoder').StringDecoder];
  // Older versions have a list of their own.
  if (isLoaded('internal/streams/buffer_list')) {
    types.push(internalRequire('internal/streams/buffer_list'));
  }
  if (isLoaded('internal/fs/streams')) {
    const { ReadStream, WriteStream } = internalRequire('internal/fs/streams');
    types.push(ReadStream, WriteStream);
  }
  if (isLoaded('internal/readline/interface')) {
    types.push(internalRequire('readline').Interface,
               internalRequire('internal/readline/interface').Interface);
  }
  return types.map(({ prototype }) => prototype);
}

function eventPrototypes(inspector) {
  if (!isLoaded('internal/event_target')) return [];
  const { Listener } = topOf('internal/event_target', inspector);
  return [EventTarget, AbortSignal, Listener].map(({ prototype }) => prototype);
}

// Whether an object on a prototype of Node's is nothing but its properties.
function isAllowed(capture, prototype) {
  if (PLAIN.has(prototype)) return true;
  capture.plainPrototypes ??=
    new Set([...streamPrototypes(), ...eventPrototypes(capture.inspector)]);
  return capture.plainPrototypes.has(prototype);
}

// Where it may stand within a character only its object of C++ knows.
function recordDecoder(graph, decoder, id) {
  const isFresh = Object.getOwnPropertySymbols(decoder).some((symbol) =>
    /FastPath$/.test(symbol.description) && decoder[symbol]);
  if (!isFresh) graph.refuse('a TextDecoder that may stand within a character', id);
  const { encoding, fatal, ignoreBOM } = decoder;
  return { k: 'decoder', encoding, fatal, ignoreBOM };
}

function recordReference(capture, object, id) {
  let target;
  try { target = WeakRef.prototype.deref.call(object); } catch { return undefined; }
  const { graph } = capture;
  // Nothing can be made that has forgotten its object already.
  if (target === undefined) graph.refuse('a WeakRef whose object is gone', id);
  const record = { k: 'weakref', target: graph.value(target, id, '.deref()') };
  writePrototype(graph, object, id, record, WeakRef.prototype);
  return writeProperties(graph, object, id, record);
}

// What keeps its signal where no property shows it.
function recordController(capture, object, id) {
  if (!isLoaded('internal/abort_controller')) return undefined;
  const { graph } = capture;
  if (object instanceof DOMException && object !== DOMException.prototype) {
    const record = { k: 'domexception', message: object.message, name: object.name };
    return writeProperties(graph, object, id, record);
  }
  if (!(object instanceof AbortController) || capture.builtins.has(object)) return undefined;
  const found = capture.inspector.privateFields(object).find(([name]) => name === '#signal');
  if (!found) return undefined;
  const record = { k: 'controller', signal: graph.value(found[1], id, '.signal') };
  writePrototype(graph, object, id, record, AbortController.prototype);
  return writeProperties(graph, object, id, record);
}

// What records an object by one of Node's prototypes that is on its chain; undefined for most.
function specialOn(capture, prototype) {
  if (prototype === null || prototype === Object.prototype || types.isProxy(prototype)) {
    return undefined;
  }
  const { specials } = capture;
  if (specials.size === 0) {
    const { SafeWeakRef } = probes().primordials;
    for (const one of [WeakRef, SafeWeakRef]) specials.set(one.prototype, recordReference);
    for (const one of intlTypes()) specials.set(one.prototype, recordIntl);
    if (isLoaded('internal/abort_controller')) {
      specials.set(AbortController.prototype, recordController);
      specials.set(DOMException.prototype, recordController);
    }
  }
  if (!specials.has(prototype)) {
    specials.set(prototype, specialOn(capture, Reflect.getPrototypeOf(prototype)));
  }
  return specials.get(prototype);
}

function recordOther(capture, object, id) {
  const { graph } = capture;
  const prototype = Reflect.getPrototypeOf(object);
  if (prototype === URL.prototype) {
    return writeProperties(graph, object, id, { k: 'url', text: object.href },
                           (key) => typeof key === 'symbol');
  }
  if (prototype === URLSearchParams.prototype) {
    // That of a URL changes it.
    const owner = capture.inspector.privateFields(object)
      .find(([name, value]) => name === '#context' && value)?.[1];
    return owner ? { k: 'search', of: graph.value(owner, id, '(url)') } :
      { k: 'search', text: String(object) };
  }
  if (prototype === TextEncoder.prototype) return { k: 'encoder' };
  if (prototype === TextDecoder.prototype) return recordDecoder(graph, object, id);
  return specialOn(capture, prototype)?.(capture, object, id);
}

module.exports = { isAllowed, recordOther };
