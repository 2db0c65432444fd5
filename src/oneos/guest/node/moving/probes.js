'use strict';
// Built-in objects that no property leads to, each taken from something made for it.

const EventEmitter = require('events');
const { internalRequire } = require('./internals');

let found;

function make() {
  const { Timeout, Immediate } = internalRequire('internal/timers');
  const up = Reflect.getPrototypeOf;
  return {
    process,
    // What Node's library has kept of the language for itself.
    primordials: internalRequire('internal/test/binding').primordials,
    Function: Function.prototype,
    GeneratorFunction: up(function* () {}),
    AsyncFunction: up(async () => {}),
    AsyncGeneratorFunction: up(async function* () {}),
    ArrayIterator: up([].values()),
    MapIterator: up(new Map().values()),
    SetIterator: up(new Set().values()),
    StringIterator: up(''[Symbol.iterator]()),
    RegExpStringIterator: up(''.matchAll(/x/g)),
    TypedArray: up(Uint8Array),
    Timeout: Timeout.prototype,
    Immediate: Immediate.prototype,
    // What the text of a moved program refers to.
    moving: { on: false, Maker: function() {}, made: undefined },
    // Its own symbols are on every emitter.
    emitter: new EventEmitter(),
    throwTypeError: Object.getOwnPropertyDescriptor(
      (function() { 'use strict'; return arguments; })(), 'callee').get,
  };
}

const probes = () => (found ??= make());

module.exports = { probes };
