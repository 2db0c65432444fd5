'use strict';
// Node's own kinds of objects that move: each by what makes it again.

const EventEmitter = require('events');
const { internalRequire } = require('./internals');
const { writeProperties } = require('./moving/properties');

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

let streams;

function isAllowed(prototype) {
  if (PLAIN.has(prototype)) return true;
  streams ??= new Set(streamPrototypes());
  return streams.has(prototype);
}

function recordOther(capture, object, id) {
  const { graph } = capture;
  const prototype = Reflect.getPrototypeOf(object);
  if (prototype === URL.prototype) {
    return writeProperties(graph, object, id, { k: 'url', text: object.href },
                           (key) => typeof key === 'symbol');
  }
  if (prototype === URLSearchParams.prototype) {
    return { k: 'search', text: String(object) };
  }
  if (prototype === TextEncoder.prototype) return { k: 'encoder' };
  return undefined;
}

module.exports = { isAllowed, recordOther };
