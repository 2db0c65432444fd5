'use strict';
// Continues a program from its image, in a Node that has run nothing yet.
//
// Every object is made and filled, every scope gets its variables; then the timers are set, the
// streams are listened to, and suspended functions stand where they stood. The event loop does the
// rest.

const Module = require('module');
const vm = require('vm');
const { internalBinding, internalRequire } = require('./internals');
const { Allocator } = require('./moving/allocate');
const { define, fill } = require('./moving/fill');
const { generate } = require('./moving/generate');
const { decode } = require('./moving/image');
const { NotMovable } = require('./moving/refusal');
const { closeFillers } = require('./moving/handed');
const { resumeStream } = require('./moving/resumestreams');
const { difference } = require('./moving/shapes');
const suspended = require('./moving/suspended');

class Restore extends Allocator {
  constructor(state, bytesOf) {
    super(state, bytesOf);
    this.late = [];        // Iterators to be put in their place.
    this.timeouts = [];
    this.immediates = [];
    this.closing = [];     // Objects that take no more properties.
    this.waiting = [];     // Promises whose reactions are still to be made.
    this.reactions = [];
    this.generators = [];
    this.readlines = [];
  }

  idOf(object) { return this.objects.indexOf(object); }

  load() {
    const text = generate(this.state);
    const make = vm.runInThisContext(text, {
      filename: 'oneos:moved',
      importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    this.top = make(this.run);
  }

  // Fills what was made, until nothing new turns up; scopes get their variables in between.
  settle() {
    for (;;) {
      while (this.unfilled.length) fill(this, this.unfilled.pop());
      let any = false;
      for (const [id, scope] of this.scopes) {
        if (scope.isSet) continue;
        any = scope.isSet = true;
        this.setVariables(id, scope);
      }
      if (!any && this.unfilled.length === 0) return;
    }
  }

  setVariables(id, { generator }) {
    const { vars } = this.state.scopes[id];
    let { value: at } = generator.next();
    while (at !== -1) ({ value: at } = generator.next(this.value(vars[at][2])));
  }

  setTimers() {
    const { insert } = internalRequire('internal/timers');
    const { getLibuvNow, scheduleTimer } = internalBinding('timers');
    const now = getLibuvNow();
    this.timeouts.sort(([, a], [, b]) => a.left - b.left);
    for (const [timer, { left, repeat }] of this.timeouts) {
      if (repeat !== null) timer._repeat = repeat;
      insert(timer, timer._idleTimeout, now - (timer._idleTimeout - left));
    }
    if (this.timeouts.length) scheduleTimer(Math.max(1, Math.ceil(this.timeouts[0][1].left)));
  }

  setProcess() {
    const { roots } = this.state;
    for (const key of Object.keys(process.env)) if (!(key in roots.env)) delete process.env[key];
    Object.assign(process.env, roots.env);
    process.argv.splice(0, process.argv.length, ...roots.argv);
    if (roots.cwd !== process.cwd()) process.chdir(roots.cwd);
    if (roots.title !== process.title) process.title = roots.title;
    process.umask(roots.umask);
    process.exitCode = this.value(roots.exitCode);
  }

  go() {
    const { roots } = this.state;
    this.load();
    roots.timers.forEach((value) => this.value(value));
    const modules = roots.modules.map(([name, value]) => [name, this.value(value)]);
    roots.immediates.forEach((value) => this.value(value));
    roots.readlines.forEach((value) => this.value(value));
    const streams = roots.streams.map((value) => [value[0], this.value(value)]);
    for (const item of roots.globals) define(this, globalThis, item);
    for (const [owner, item] of roots.patches) define(this, this.value(owner), item);
    const listeners = roots.process.map(([type, value]) => [this.value(type), this.value(value)]);
    for (const [, , value] of roots.globals) this.value(value);
    this.settle();
    suspended.prepare(this);
    this.settle();
    for (const group of this.groupsToFill) this.fillGroup(group);
    for (const step of this.late) step();
    for (const object of this.closing) Object.preventExtensions(object);
    for (const [name, module] of modules) Module._cache[name] = module;
    this.setProcess();
    this.setTimers();
    for (const [type, listener] of listeners) process.on(type, listener);
    suspended.start(this);
    for (const step of this.readlines) step();
    for (const [id, stream] of streams) resumeStream(this, this.state.objects[id], stream);
  }
}

// Continues the program of `image`, a Buffer. Throws NotMovable where this Node is not one in which
// it can go on, and RangeError where it is no image.
function restore(image) {
  const { state, bytesOf } = decode(image);
  const [major] = process.version.slice(1).split('.');
  if (!state.node.startsWith(`v${major}.`)) {
    throw new NotMovable(`it ran in Node ${state.node}, and this is ${process.version}`);
  }
  closeFillers(state.files);
  const changed = difference(state.roots.shapes);
  if (changed) throw new NotMovable('the program has changed what is built in', changed);
  new Restore(state, bytesOf).go();
}

module.exports = { restore };
