'use strict';
// The ES modules of the program: what each imports, and its variables, as scopes like others.
//
// The target makes real modules of them (moduletext.js, linking.js), so that what one exports is
// seen by the others as it changes. Only modules that have run to their end move.

const { types } = require('util');
const { internalBinding, internalRequire } = require('./internals');
const { moduleOrigins } = require('./moving/originals');
const { walk } = require('./moving/syntax');
const { declaredBy } = require('./moving/declarations');
const { localExports } = require('./moving/moduletext');

const { getPromiseDetails } = internalBinding('util');
const [EVALUATED, ERRORED] = [4, 5];
const [PENDING, FULFILLED] = [0, 1];
const BUILTIN = 'node:';
const OURS = /^\$oneos/;  // Names that a move put into a module.
const UPDATES = { AssignmentExpression: 'left', UpdateExpression: 'argument' };

const loaderOfNode = () =>
  internalRequire('internal/modules/esm/loader').getOrInitializeCascadedLoader?.();

// Every job of Node's loader: [url, type, job].
function jobs() {
  const loader = loaderOfNode();
  const found = [];
  for (const url of loader?.loadCache.keys() ?? []) {
    const byType = Map.prototype.get.call(loader.loadCache, url);
    for (const type of Object.keys(byType)) if (byType[type]) found.push([url, type, byType[type]]);
  }
  return found;
}

class Modules {
  constructor(capture) {
    this.capture = capture;
    this.entries = [];
    this.byUrl = new Map();        // Of those with a source.
    this.namespaces = new Map();   // Object -> number of the entry.
  }

  // Notes every module there is. Throws NotMovable where one has not run to its end.
  find() {
    const { graph, inspector } = this.capture;
    const list = jobs();
    const numbers = new Map(list.map(([, , job], i) => [job, i]));
    const scripts = new Map([...inspector.modules].map((id) => [inspector.urls.get(id), id]));
    for (const [url, type, job] of list) {
      const status = job.module?.getStatus?.();
      if (status !== EVALUATED) {
        graph.refuse(status === ERRORED ? 'an ES module that failed' :
          'an ES module that has not run to its end', -1, url);
      }
      // V8 calls one evaluated that waits at an `await`; the promise of its evaluation tells.
      if (getPromiseDetails(job.module.evaluate(-1, false))[0] === PENDING) {
        graph.refuse('an ES module at an await of its top level', -1, url);
      }
      // One that was loaded by `require` has its list at once.
      const [state, linked] = types.isPromise(job.linked) ? getPromiseDetails(job.linked) :
        [Array.isArray(job.linked) ? FULFILLED : undefined, job.linked];
      if (state !== FULFILLED) graph.refuse('an ES module that was not imported by Node', -1, url);
      const entry = { url, type, main: job.isMain ? 1 : 0 };
      this.namespaces.set(job.module.getNamespace(), this.entries.length);
      this.entries.push(entry);
      if (url.startsWith(BUILTIN)) continue;
      const origin = moduleOrigins.get(url) ?? (scripts.has(url) && {
        source: inspector.sourceOf(scripts.get(url)),
        requests: job.module.getModuleRequests()
          .map(({ specifier, attributes }) => [specifier, { ...attributes }]),
      });
      if (!origin) continue;
      entry.source = origin.source;
      entry.requests = origin.requests.map(([specifier, attributes], i) =>
        [specifier, attributes, numbers.get(linked[i])]);
      this.byUrl.set(url, entry);
    }
  }

  // What the modules have, into the image.
  roots() {
    const { graph, scopes } = this.capture;
    for (const [namespace, number] of this.namespaces) {
      const entry = this.entries[number];
      if (entry.url.startsWith(BUILTIN)) continue;
      const values = Reflect.ownKeys(namespace).filter((key) => typeof key === 'string');
      if (entry.source === undefined) {
        entry.values = values.map((name) =>
          [name, graph.value(namespace[name], -1, `module ${entry.url}.${name}`)]);
        continue;
      }
      entry.names = values;
      const script = this.capture.parsed(entry.source, true);
      this.checkMeta(script, entry.url);
      const kinds = declaredBy(script.tree);
      entry.scope = scopes.records.push({ parent: -1, vars: [], strict: 1, module: number }) - 1;
      entry.known = new Set();
      for (const [local, exported] of localExports(script.tree)) {
        this.variable(entry, local, kinds.get(local) ?? 'const', namespace[exported],
                      `module ${entry.url}.${exported}`);
      }
      Object.defineProperty(entry, 'kinds', { value: kinds });
    }
    for (const entry of this.entries) delete entry.known;
    return this.entries;
  }

  variable({ scope, known }, name, kind, value, how, from = -1) {
    if (known.has(name)) return;
    known.add(name);
    const { graph, scopes } = this.capture;
    scopes.records[scope].vars.push([name, kind, graph.value(value, from, how)]);
  }

  // What it is made of is made anew there: so the program may only have read it.
  checkMeta(script, url) {
    walk(script.tree, (node) => {
      if (node.type !== 'MetaProperty' || node.meta.name !== 'import') return;
      const { up } = node;
      const isRead = up.type === 'MemberExpression' && up.object === node && !up.computed &&
        up.up[UPDATES[up.up.type]] !== up && up.up.operator !== 'delete' &&
        (up.property.name !== 'resolve' || up.up.callee === up);
      if (!isRead) {
        this.capture.graph.refuse('an import.meta that is used as a whole, or changed', -1, url);
      }
    });
  }

  // The module that a function of a script stands in; undefined for any other script.
  of(script) { return script.isModule ? this.byUrl.get(script.url) : undefined; }

  // Adds the variables that closures see, from what the inspector says of the scope; its number.
  enter(entry, context, { names, values }, id) {
    if (context.scope !== undefined) return context.scope;
    context.scope = entry.scope;
    if (context.dead.length) this.capture.graph.refuse('a module variable without a value', id);
    const { vars } = this.capture.scopes.records[entry.scope];
    entry.known = new Set(vars.map(([name]) => name));
    for (const name of names) {
      const kind = entry.kinds.get(name);
      // What is imported has its value from where it comes.
      if (kind === undefined || kind === 'import' || OURS.test(name)) continue;
      this.variable(entry, name, kind, values[name], `(${name})`, id);
    }
    delete entry.known;
    return entry.scope;
  }

  record(object) {
    if (!types.isModuleNamespaceObject(object)) return undefined;
    const number = this.namespaces.get(object);
    return number === undefined ? undefined : { k: 'namespace', module: number };
  }
}

module.exports = { Modules, loaderOfNode };
