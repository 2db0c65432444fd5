'use strict';
// Continues a program from its image, in a Node that has run nothing yet.
//
// Every object is made and filled, every scope gets its variables; then the timers are set, the
// streams are listened to, and suspended functions stand where they stood. The event loop does the
// rest.

const Module = require('module');
const { fileURLToPath } = require('url');
const { internalBinding, internalRequire } = require('./internals');
const { Allocator } = require('./moving/allocate');
const { goOn } = require('./moving/clocks');
const { restoreConsole } = require('./moving/consoles');
const { define, fill } = require('./moving/fill');
const { reopen } = require('./moving/filestreams');
const { generate, libraryText } = require('./moving/generate');
const { decode } = require('./moving/image');
const { MOVED, topHere } = require('./moving/library');
const { Linking } = require('./moving/linking');
const { NotMovable } = require('./moving/refusal');
const { closeFillers } = require('./moving/handed');
const { resumeStream } = require('./moving/resumestreams');
const { difference } = require('./moving/shapes');
const suspended = require('./moving/suspended');

// Evaluates a text; `import()` in it is relative to the file `url`.
function compile(url, text) {
  const { makeContextifyScript, runScriptInThisContext } = internalRequire('internal/vm');
  const symbols = internalBinding('symbols');
  const filename = !url?.startsWith('file:') ? url ?? 'oneos:moved' : fileURLToPath(url);
  const how = symbols.vm_dynamic_import_default_internal;
  return runScriptInThisContext(makeContextifyScript(
    text, filename, 0, 0, undefined, false, undefined, how, undefined), true, false);
}

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
    const { generator, texts, modules } = generate(this.state);
    this.libraryMembers = (scope, id) => {
      const top = topHere(id);
      const text = libraryText(generator.members(generator.inScope, scope), top);
      return compile(`${MOVED}${id}`, text)(this.run, top);
    };
    this.top = Object.assign({}, ...texts.map(([url, text]) => compile(url, text)(this.run)));
    this.run.value = (scope, at) => this.value(this.state.scopes[scope].vars[at][2]);
    this.linking = new Linking(this, modules);
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
    if (!generator) return;  // Those of ES modules come when they are evaluated.
    const { vars } = this.state.scopes[id];
    let { value: at } = generator.next();
    while (at !== -1) ({ value: at } = generator.next(this.value(vars[at][2])));
  }

  // A stream of a file: where its descriptor stands is that of the stream alone.
  resumeFile([value, fd, held]) {
    const stream = this.value(value);
    const file = this.state.files.find((one) => one.fd === fd);
    if (file && stream.pos === undefined) stream.pos = file.offset;
    if (held !== null) stream._read(held);
  }

  // What a module has, made beforehand.
  moduleValues(scope) {
    this.scope(scope);
    for (const [, , value] of this.state.scopes[scope].vars) this.value(value);
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
    for (const [name, value] of roots.flags) process[name] = value;
    Error.stackTraceLimit = this.value(roots.stackTraceLimit);
    process.exitCode = this.value(roots.exitCode);
  }

  go() {
    const { roots } = this.state;
    goOn(roots.clocks);
    const { files, fileStreams } = this.state;
    reopen(files, new Set(fileStreams.map(([, fd]) => fd)));
    this.load();
    roots.timers.forEach((value) => this.value(value));
    for (const { scope, values } of roots.esm) {
      if (scope !== undefined) this.moduleValues(scope);
      for (const [, value] of values ?? []) this.value(value);
    }
    const modules = roots.modules.map(([name, value]) => [name, this.value(value)]);
    roots.immediates.forEach((value) => this.value(value));
    roots.readlines.forEach((value) => this.value(value));
    const streams = roots.streams.map((value) => [value[0], this.value(value)]);
    for (const item of roots.globals) define(this, globalThis, item);
    for (const [owner, item] of roots.patches) define(this, this.value(owner), item);
    const listeners = roots.process.map(([type, value]) => [this.value(type), this.value(value)]);
    for (const [, , value] of roots.globals) this.value(value);
    restoreConsole(this, roots.console);
    this.settle();
    suspended.prepare(this);
    this.settle();
    this.linking.finish();
    delete this.run.value;
    for (const group of this.groupsToFill) this.fillGroup(group);
    for (const step of this.late) step();
    for (const object of this.closing) Object.preventExtensions(object);
    for (const [name, module] of modules) Module._cache[name] = module;
    this.setProcess();
    this.setTimers();
    for (const [type, listener] of listeners) process.on(type, listener);
    suspended.start(this);
    for (const step of this.readlines) step();
    for (const item of fileStreams) this.resumeFile(item);
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
