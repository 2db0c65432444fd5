'use strict';
// Node's own modules in JavaScript whose closures move like those of the program: what listens
// where a stream is piped, what waits in `events.once`, what `util.promisify` gives.
//
// What stands at the top of such a module is in any Node of the same version, found by its name;
// the inspector tells it of any function that the module exports. A closure made further inside is
// made again from Node's source, inside of scopes whose outermost has those names.
//
// None is on the list that keeps objects of the program in tables at its top, but for those which
// only keep from being collected what the program has anyway.

const { internalBinding, internalRequire } = require('./internals');
const { scriptIdOf } = require('./moving/natives');
const { probes } = require('./moving/probes');
const { NotMovable } = require('./moving/refusal');

const KNOWN = new Set([
  'events', 'internal/abort_controller', 'internal/event_target',
  'internal/streams/add-abort-signal', 'internal/streams/buffer_list',
  'internal/streams/destroy', 'internal/streams/duplex', 'internal/streams/end-of-stream',
  'internal/streams/from', 'internal/streams/legacy', 'internal/streams/passthrough',
  'internal/streams/pipeline', 'internal/streams/readable', 'internal/streams/transform',
  'internal/streams/utils', 'internal/streams/writable', 'internal/fs/streams', 'internal/util',
  'internal/readline/interface', 'readline', 'stream', 'stream/promises', 'string_decoder',
  'timers/promises', 'util',
]);

// What every other module of the library is given; it is none itself.
const PRIMORDIALS = 'internal/per_context/primordials';
KNOWN.add(PRIMORDIALS);

const MOVED = 'oneos:node/';  // Begins the name of a text that makes such closures.
const NODE = 'node:';

// The module of Node that a script is of; undefined for others.
function idOfUrl(url) {
  if (url.startsWith(MOVED)) return url.slice(MOVED.length);
  return url.startsWith(NODE) ? url.slice(NODE.length) : undefined;
}

const sourceOf = (id) => internalBinding('builtins').natives[id];

function isLoaded(id) {
  if (id === PRIMORDIALS) return true;
  return process.moduleLoadList.some((name) =>
    name === `NativeModule ${id}` || name === `Internal Binding ${id}`);
}

// A function of the module's own text, by what it exports.
function anchorOf(id, inspector) {
  const isOwn = (value) => typeof value === 'function' &&
    inspector.urls.get(scriptIdOf(value)) === NODE + id;
  const exported = id === PRIMORDIALS ? probes().primordials : internalRequire(id);
  if (isOwn(exported)) return exported;
  for (const owner of [exported, exported.prototype ?? {}]) {
    for (const key of Reflect.ownKeys(owner)) {
      const { value } = Reflect.getOwnPropertyDescriptor(owner, key);
      if (isOwn(value)) return value;
      const inner = typeof value === 'function' && Reflect.ownKeys(value.prototype ?? {})
        .map((name) => Reflect.getOwnPropertyDescriptor(value.prototype, name).value).find(isOwn);
      if (inner) return inner;
    }
  }
  return undefined;
}

const tops = new Map();

// The variables at the top of a module, by name.
function topOf(id, inspector) {
  if (!tops.has(id)) {
    const anchor = anchorOf(id, inspector);
    tops.set(id, anchor ? inspector.scopes(anchor).at(-1)?.values : undefined);
  }
  return tops.get(id);
}

// As `topOf`, in a Node that is about to go on.
function topHere(id) {
  if (!tops.has(id)) {
    const { Inspector } = require('./moving/inspect');
    if (id !== PRIMORDIALS) internalRequire(id);
    const inspector = new Inspector();
    try {
      topOf(id, inspector);
    } finally {
      inspector.close();
    }
  }
  const top = tops.get(id);
  if (!top) throw new NotMovable('a module of Node that is not as it was', id);
  return top;
}

const loadedModules = () => [...KNOWN].filter(isLoaded);

module.exports = { KNOWN, MOVED, idOfUrl, loadedModules, sourceOf, topHere, topOf };
