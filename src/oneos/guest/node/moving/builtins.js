'use strict';
// What every Node has, by a path on which it is found in any other Node of the same version.
//
// The first step of a path is a root: ['global'], ['module', id], ['hidden', name], or ['top', id],
// the variables at the top of one of Node's modules. Then each is
// one of ['v', key] the value of a property, ['get', key] and ['set', key] its accessors, ['up']
// the prototype, ['key', n] the n-th symbol among the object's keys. What the program put into one
// of Node's objects is no part of it, and moves like any other.

const Module = require('module');
const { internalRequire } = require('./internals');
const { baseKeys, isAdded } = require('./moving/globals');
const { commonSymbol } = require('./moving/graph');
const { loadedModules: loadedLibrary, topHere, topOf } = require('./moving/library');
const { probes } = require('./moving/probes');
const { NotMovable } = require('./moving/refusal');

// Public modules that are not looked through: they alias others, or are the capture's own tools.
const LEFT_OUT = new Set(['inspector', 'inspector/promises', 'sys', 'punycode', 'repl', 'wasi',
  'trace_events', 'test', 'cluster', 'domain', 'module']);

// Of `process`, what is the program's and moves by itself.
const OF_THE_PROGRAM = new Set(['mainModule', '_events', '_eventsCount', '_maxListeners']);

const isObject = (value) =>
  (typeof value === 'object' && value !== null) || typeof value === 'function';

function keyStep(key, owner) {
  if (typeof key === 'string') return key;
  const common = commonSymbol(key);
  if (common) return common;
  return ['n', Reflect.ownKeys(owner).filter((other) => typeof other === 'symbol').indexOf(key)];
}

function keyOf(step, owner) {
  if (typeof step === 'string') return step;
  const [kind, name] = step;
  if (kind === 'w') return Symbol[name];
  if (kind === 'f') return Symbol.for(name);
  return Reflect.ownKeys(owner).filter((other) => typeof other === 'symbol')[name];
}

function loadedModules() {
  const loaded = new Set(process.moduleLoadList);
  return Module.builtinModules.filter((id) => !id.startsWith('_') && !LEFT_OUT.has(id) &&
    loaded.has(`NativeModule ${id}`));
}

const rootOf = {
  global: () => globalThis,
  module: (id) => (id === 'module' ? Module : internalRequire(id)),
  hidden: (name) => probes()[name],
  top: topHere,
};

class Builtins {
  // `isTheirs(fn)`: whether a function is the program's.
  constructor(isTheirs, inspector) {
    this.paths = new Map();
    this.isTheirs = isTheirs;
    this.queue = [];
    this.patches = [];  // [object, key] of what the program put into Node's objects.
    this.closed = new Set([process.env, process.argv, process.execArgv, Module._cache,
      Module._pathCache, process.moduleLoadList, globalThis]);
    this.add(globalThis, [['global']]);
    this.walkProperties(globalThis, [['global']], (key) => baseKeys.has(key));
    for (const [name, probe] of Object.entries(probes())) {
      if (isObject(probe)) this.add(probe, [['hidden', name]]);
    }
    this.add(Module, [['module', 'module']]);
    for (const id of loadedModules()) this.add(internalRequire(id), [['module', id]]);
    for (const id of loadedLibrary()) this.addTop(id, topOf(id, inspector));
    for (let i = 0; i < this.queue.length; i++) this.walk(this.queue[i]);
  }

  add(value, path) {
    if (this.paths.has(value) || value instanceof Module) return;
    if (typeof value === 'function' && this.isTheirs(value)) return;
    this.paths.set(value, path);
    this.queue.push(value);
  }

  addTop(id, values) {
    for (const [name, value] of Object.entries(values ?? {})) {
      const path = [['top', id], ['v', name]];
      if (isObject(value)) this.add(value, path);
      else if (typeof value === 'symbol' && !this.paths.has(value)) this.paths.set(value, path);
    }
  }

  walk(object) {
    if (this.closed.has(object)) return;
    const path = this.paths.get(object);
    this.walkProperties(object, path, () => true);
    const prototype = Reflect.getPrototypeOf(object);
    if (prototype) this.add(prototype, [...path, ['up']]);
  }

  walkProperties(object, path, wanted) {
    for (const key of Reflect.ownKeys(object)) {
      if (!wanted(key) || (object === process && OF_THE_PROGRAM.has(key))) continue;
      const property = Reflect.getOwnPropertyDescriptor(object, key);
      if (!property) continue;
      const step = keyStep(key, object);
      if (typeof key === 'symbol' && Array.isArray(step) && step[0] === 'n' &&
          !this.paths.has(key)) {
        this.paths.set(key, [...path, ['key', step[1]]]);
      }
      if (isAdded(object, key) || [property.value, property.get, property.set].some((value) =>
        typeof value === 'function' && this.isTheirs(value))) {
        this.patches.push([object, key]);
        continue;
      }
      if (isObject(property.value)) this.add(property.value, [...path, ['v', step]]);
      if (property.get) this.add(property.get, [...path, ['get', step]]);
      if (property.set) this.add(property.set, [...path, ['set', step]]);
    }
  }

  pathOf(object) { return this.paths.get(object); }

  has(object) { return this.paths.has(object); }
}

// The object at a path, in this Node.
function resolve(path) {
  let at;
  for (const [step, name] of path) {
    switch (step) {
      case 'global': case 'module': case 'hidden': case 'top': at = rootOf[step](name); break;
      case 'up': at = Reflect.getPrototypeOf(at); break;
      case 'key': at = keyOf(['n', name], at); break;
      case 'v': at = Reflect.getOwnPropertyDescriptor(at, keyOf(name, at))?.value; break;
      default: at = Reflect.getOwnPropertyDescriptor(at, keyOf(name, at))?.[step];
    }
    if (at === undefined || at === null) {
      throw new NotMovable('what the program uses of Node is not here', JSON.stringify(path));
    }
  }
  return at;
}

module.exports = { Builtins, resolve };
