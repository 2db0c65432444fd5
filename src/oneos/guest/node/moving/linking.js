'use strict';
// Makes the ES modules of an image with Node's own ModuleWrap, and gives them to its loader.

const { internalBinding, internalRequire } = require('./internals');
const { loaderOfNode } = require('./moving/esm');
const { MEMBERS, RUN, RUN_URL, facadeText } = require('./moving/moduletext');
const { moduleOrigins } = require('./moving/originals');
const { NotMovable } = require('./moving/refusal');

const { ModuleWrap } = internalBinding('module_wrap');
const ERRORED = 5;

const keyOf = (specifier, attributes) => JSON.stringify([specifier, { ...attributes }]);

function builtinFacade(id) {
  const module = internalRequire('internal/modules/helpers').loadBuiltinModule(id);
  if (!module) throw new NotMovable('a module of Node that is not here', id);
  return module.getESMFacade();
}

function evaluate(module) {
  module.evaluate(-1, false);
  if (module.getStatus() === ERRORED) throw module.getError();
}

class Linking {
  // `at`: the Restore; `texts`: number of an entry -> its source.
  constructor(at, texts) {
    this.at = at;
    this.entries = at.state.roots.esm;
    this.loader = loaderOfNode();
    this.seen = [];   // What others import.
    this.own = [];    // What has the variables.
    if (this.entries.length === 0) return;
    const { compileSourceTextModule } = internalRequire('internal/modules/esm/utils');
    const source = (url, text) => compileSourceTextModule(url, text, this.loader);
    const run = new ModuleWrap(RUN_URL, undefined, [RUN], function() {
      this.setExport(RUN, at.run);
    });
    run.instantiate();
    evaluate(run);  // Classes need it before the modules are evaluated.
    this.entries.forEach((entry, i) => {
      if (texts[i] === undefined) { this.seen[i] = this.withValues(entry); return; }
      this.own[i] = source(entry.url, texts[i]);
      this.seen[i] = source(`${entry.url}#oneos`, facadeText(entry.names));
    });
    this.entries.forEach((entry, i) => {
      if (!this.own[i]) return;
      const known = new Map((entry.requests ?? []).map(([specifier, attributes, to]) =>
        [keyOf(specifier, attributes), this.seen[to]]));
      known.set(keyOf(RUN_URL, {}), run);
      this.link(this.own[i], known);
      this.link(this.seen[i], new Map([[keyOf('oneos:own', {}), this.own[i]]]));
    });
    for (const module of this.seen) if (module.getStatus() === 0) module.instantiate();
    this.entries.forEach((entry, i) => this.register(entry, i));
  }

  link(module, known) {
    const requests = module.getModuleRequests();
    const targets = requests.map(({ specifier, attributes }) =>
      known.get(keyOf(specifier, attributes)));
    if (targets.includes(undefined)) throw new NotMovable('an import is not in the image');
    module.link(requests.map(({ specifier }) => specifier), targets);
  }

  withValues({ url, values }) {
    if (!values) return builtinFacade(url.slice('node:'.length));
    const { at } = this;
    return new ModuleWrap(url, undefined, values.map(([name]) => name), function() {
      for (const [name, value] of values) this.setExport(name, at.value(value));
    });
  }

  // As if Node had imported it.
  register({ url, type, main, source, requests }, i) {
    const { ModuleJob } = internalRequire('internal/modules/esm/module_job');
    const job = Object.assign(Object.create(ModuleJob.prototype), {
      importAttributes: { __proto__: null }, isMain: Boolean(main), inspectBrk: false, url,
      module: this.seen[i], modulePromise: Promise.resolve(this.seen[i]),
      instantiated: Promise.resolve(),
    });
    if (type !== 'javascript') job.importAttributes.type = type;
    this.entries[i].job = job;
    if (source !== undefined) {
      moduleOrigins.set(url, {
        source, requests: requests.map(([specifier, attributes]) => [specifier, attributes]),
      });
    }
    this.loader.loadCache.set(url, type, job);
  }

  // At the top of a module there is no `this`.
  members(i) { return Reflect.apply(this.own[i].getNamespace()[MEMBERS], undefined, []); }

  namespace(i) { return this.seen[i].getNamespace(); }

  // Gives every module its variables; all objects exist.
  finish() {
    for (const { job, requests } of this.entries) {
      job.linked = Promise.resolve(Object.setPrototypeOf(
        (requests ?? []).map(([, , to]) => this.entries[to].job), null));
    }
    this.seen.forEach((module) => evaluate(module));
  }
}

module.exports = { Linking };
