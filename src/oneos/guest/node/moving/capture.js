'use strict';
// Captures the program between two turns of its event loop, without changing it.
//
// The walk goes from the roots (modules, timers, globals, streams) through plain reflection. What
// needs memory or a heap snapshot is put off until nothing else is left, in the order of what it
// costs. Whatever is met that is not known to move ends the capture.

const { constants } = require('os');
const { pathToFileURL } = require('url');
const { types } = require('util');
const { Builtins } = require('./moving/builtins');
const { baseKeys } = require('./moving/globals');
const { privateNames, settleInside, settleMembers } = require('./moving/classes');
const { Contexts } = require('./moving/contexts');
const functions = require('./moving/functions');
const { Graph } = require('./moving/graph');
const handles = require('./moving/handles');
const { Parts, encode } = require('./moving/image');
const { Inspector } = require('./moving/inspect');
const { isSpent, settleIterators } = require('./moving/iterators');
const kinds = require('./moving/kinds');
const { Layout } = require('./moving/layout');
const { Memory } = require('./moving/memory');
const modules = require('./moving/modules');
const native = require('./moving/nativefunctions');
const { positionOf, scriptIdOf } = require('./moving/natives');
const { recordOther, isAllowed } = require('./moving/others');
const { Promises } = require('./moving/promises');
const { readlinesIn, recordReadline } = require('./moving/readlines');
const { NotMovable } = require('./moving/refusal');
const roots = require('./moving/roots');
const { Scopes } = require('./moving/scopes');
const { HeapSnapshot } = require('./moving/snapshot');
const streams = require('./moving/streams');
const { Script } = require('./moving/syntax');
const timers = require('./moving/timers');
const { originals } = require('./moving/originals');

const OURS = [`${__dirname}/`, String(pathToFileURL(`${__dirname}/`))];

class Capture {
  constructor() {
    this.graph = new Graph();
    this.parts = new Parts();
    this.scripts = new Map();
    this.originals = originals;
    this.methods = [];        // [id, node] of methods whose class is not settled.
    this.members = new Map(); // Method -> which member of which class it is.
    this.inside = [];         // Closures that have to be made inside of a class.
    this.classes = [];
    this.weak = [];
    this.iterators = [];
    this.openResolvers = [];
    this.functions = [];
    this.makers = new Map();  // Prototype -> classes with private members on its chain.
  }

  open(ourHandles) {
    this.inspector = new Inspector();
    this.memory = new Memory();
    this.layout = new Layout(this.memory);
    this.contexts = new Contexts(this.memory, this.layout);
    this.scopes = new Scopes(this);
    this.promises = new Promises(this);
    this.now = timers.getLibuvNow();
    this.builtins = new Builtins((fn) => this.isTheirs(fn));
    this.streams = streams.usedStreams(this);
    const { counts, objects } = streams.handlesOf(this.streams);
    // Each signal that is listened to has a handle, which listening again makes again.
    const signals = process.eventNames().filter((name) => name in constants.signals);
    counts.signal = signals.length;
    for (const { type, handle } of ourHandles) {
      counts[type] = (counts[type] ?? 0) + 1;
      objects.add(handle);
    }
    handles.checkLoop(counts);
    handles.checkObjects(this, objects);
    this.readlines = readlinesIn(this);
  }

  close() {
    this.memory?.close();
    this.inspector?.close();
  }

  urlOf(fn) { return this.inspector.urls.get(scriptIdOf(fn)) ?? ''; }

  // Whether a function is one of the program's, as against Node's and those of the context.
  isTheirs(fn) {
    const script = scriptIdOf(fn);
    if (script < 0) return false;
    // The inspector does not know those that are part of Node's executable.
    const url = this.inspector.urls.get(script);
    return url !== undefined && !url.startsWith('node:') &&
      !OURS.some((start) => url.startsWith(start));
  }

  // Whether a listener is Node's own, or ours, and so there in any Node.
  isNodes(listener) {
    if (this.isTheirs(listener)) return false;
    if (scriptIdOf(listener) >= 0) return true;
    const target = this.inspector.slots(listener)['[[TargetFunction]]']?.();
    if (!target) return !this.graph.ids.has(listener);
    return target.name !== 'onceWrapper' && !this.isTheirs(target) ? true :
      typeof listener.listener === 'function' && this.isNodes(listener.listener);
  }

  listenersOf(emitter, id) { return streams.listenersOf(this, emitter, id); }

  allowed(prototype) { return isAllowed(prototype); }

  isIdleRequest() { return false; }

  sharesMemory() { return process.moduleLoadList.includes('NativeModule worker_threads'); }

  kindOf(fn) { return functions.kindOf(this, fn); }

  placeOf(fn, id) { return functions.placeOf(this, fn, id); }

  scriptOf(scriptId) {
    let script = this.scripts.get(scriptId);
    if (!script) {
      script = new Script(this.inspector.sourceOf(scriptId));
      script.url = this.inspector.urls.get(scriptId);
      this.scripts.set(scriptId, script);
    }
    return script;
  }

  snapshot() {
    if (!this.heap) {
      this.heap = new HeapSnapshot(this.inspector, (fn) => typeof fn === 'function' &&
        !this.builtins.has(fn) && this.kindOf(fn) !== 'internal');
    }
    return this.heap;
  }

  // Whether an iterator has come to its end.
  isSpent(iterator) { return isSpent(this, iterator); }

  thisOf(context, id) {
    const { contexts, graph } = this;
    const objects = graph.values.filter((value) => typeof value !== 'symbol');
    return contexts.thisAmong(context, objects) ?? this.snapshot().thisOf(context, id);
  }

  record(id) {
    const { graph } = this;
    const object = graph.values[id];
    const path = this.builtins.pathOf(object);
    if (path) { graph.records[id] = { k: 'builtin', path }; return; }
    if (typeof object === 'symbol') {
      graph.records[id] = { k: 'symbol', description: object.description };
    } else if (types.isProxy(object)) {
      graph.records[id] = kinds.recordProxy(this, object, id);
    } else if (typeof object === 'function') {
      const kind = this.kindOf(object);
      if (kind === 'own') { this.functions.push(id); return; }
      graph.records[id] = kind === 'native' ? native.recordNative(this, object, id) :
        native.recordInternal(this, object, id);
    } else {
      graph.records[id] = timers.recordTimer(this, object, id) ??
        streams.recordStream(this, object, id) ?? recordReadline(this, object, id) ??
        modules.recordModule(this, object, id) ??
        this.promises.record(object, id) ?? recordOther(this, object, id) ??
        kinds.recordExotic(this, object, id) ?? kinds.recordPlain(this, object, id);
      this.notePrivate(object, id);
    }
  }

  // The private members, by the classes on the prototype chain that have some, the first above all.
  notePrivate(object, id) {
    const { graph } = this;
    const makers = this.makersOn(Reflect.getPrototypeOf(object));
    if (makers.length === 0) return;
    const fields = this.inspector.privateFields(object);
    const stamps = [];
    for (const maker of makers) {
      const { entry } = this.placeOf(maker, id);
      const { fieldNames, hasMethods } = privateNames(entry.node);
      if (fieldNames.size === 0 && !hasMethods) continue;
      const taken = [];
      for (const name of fieldNames) {
        const at = fields.findIndex(([found]) => found === `#${name}`);
        if (at < 0) continue;
        const [[, value]] = fields.splice(at, 1);
        taken.push([`#${name}`, graph.value(value, id, `.#${name}`)]);
      }
      if (fieldNames.size && taken.length === 0) continue;
      stamps.push([graph.value(maker, id, '.constructor'), taken]);
    }
    if (stamps.length) graph.records[id].stamps = stamps;
  }

  // The classes with private members on a chain of prototypes, the one above all others first.
  makersOn(prototype) {
    if (prototype === null || types.isProxy(prototype) || this.builtins.has(prototype)) return [];
    let makers = this.makers.get(prototype);
    if (makers) return makers;
    makers = this.makersOn(Reflect.getPrototypeOf(prototype));
    const maker = Reflect.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
    if (typeof maker === 'function' && maker.prototype === prototype && this.isTheirs(maker) &&
        /^class\b[^]*#/.test(functions.textOf(maker))) makers = [...makers, maker];
    this.makers.set(prototype, makers);
    return makers;
  }

  // Walks all that is known, and all that this leads to.
  drain() {
    const { graph } = this;
    for (;;) {
      while (graph.waiting.length) this.record(graph.waiting.pop());
      if (this.functions.length) {
        functions.recordAll(this, this.functions.splice(0));
        continue;
      }
      if (kinds.settleWeak(this) && graph.waiting.length) continue;
      if (this.scopes.findThis()) continue;
      if (settleIterators(this)) continue;
      if (native.settleResolvers(this)) continue;
      if (this.promises.settle()) continue;
      if (graph.waiting.length) continue;
      return;
    }
  }

  run(ourFds) {
    const { graph } = this;
    this.pending = new Set(timers.pendingTimeouts());
    modules.checkImported(graph);
    const found = roots.find(this, baseKeys);
    this.drain();
    settleMembers(this);
    settleInside(this);
    return {
      version: 1, node: process.version, arch: process.arch, roots: found,
      objects: graph.records, scopes: this.scopes.records,
      files: streams.openFiles(new Set([this.memory.fd, ...ourFds])),
    };
  }
}

// The image of the program as it is now, and the files it has open by number. `ours`: handles of the
// capture's own, {type, handle}; `fds`: its descriptors. Throws NotMovable; the program is as it was
// in any case.
function captureNow({ ours = [], fds = [] } = {}) {
  const capture = new Capture();
  try {
    capture.open(ours);
    const state = capture.run(fds);
    const image = encode(state, capture.parts);
    return { image, files: state.files };
  } finally {
    capture.close();
  }
}

module.exports = { Capture, NotMovable, captureNow, positionOf };
