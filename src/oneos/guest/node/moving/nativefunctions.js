'use strict';
// Functions that have no source of the program: bound ones, `require` of each module, the two that
// settle a promise, and the wrapper of `once`. Any other is refused by its name.

const Module = require('module');
const { Combinators } = require('./moving/combinators');
const { recordFormat } = require('./moving/intl');
const { KNOWN, idOfUrl } = require('./moving/library');
const { WORD } = require('./moving/memory');
const { writeProperties, writePrototype } = require('./moving/properties');

const NAMES = new Set(['length', 'name']);

function recordBound(capture, fn, id, slots) {
  const { graph } = capture;
  const target = slots['[[TargetFunction]]']();
  const self = slots['[[BoundThis]]']();
  if (target.name === 'onceWrapper' && typeof self?.type !== 'undefined' && self.wrapFn === fn) {
    if (capture.kindOf(target) === 'internal') {
      return {
        k: 'once', target: graph.value(self.target, id, '.target'),
        type: graph.value(self.type, id, '.type'),
        listener: graph.value(self.listener, id, '.listener'), fired: self.fired ? 1 : 0,
      };
    }
  }
  const record = {
    k: 'bound', target: graph.value(target, id, '(bound function)'),
    this: graph.value(self, id, '(bound this)'),
    args: Array.from(slots['[[BoundArgs]]'](), (arg, i) => graph.value(arg, id, `(bound ${i})`)),
    name: fn.name, length: fn.length,
  };
  writeProperties(graph, fn, id, record, (key) => NAMES.has(key));
  return writePrototype(graph, fn, id, record, Reflect.getPrototypeOf(target));
}

// Of a function that settles a promise: {reject, at: where in its context the promise is}.
class Resolvers {
  constructor(capture) {
    this.capture = capture;
    let resolve;
    let reject;
    const promise = new Promise((yes, no) => { resolve = yes; reject = no; });
    const { memory, layout } = capture;
    this.probes = [resolve, reject];
    const done = memory.withAddresses([resolve, reject, promise], (at) => {
      const context = memory.word(at[0] + layout.context * WORD) - 1;
      const words = [];
      for (let i = 0; i < 8; i++) words.push(memory.word(context + i * WORD));
      return words.map((word) => word === at[2] + 1);
    });
    this.promiseAt = done.indexOf(true);
    const words = () => memory.withAddresses([resolve], ([at]) => {
      const context = memory.word(at + layout.context * WORD) - 1;
      const found = [];
      for (let i = layout.previous; i < 8; i++) found.push(memory.word(context + i * WORD));
      return found;
    });
    const before = words();
    resolve(0);
    const after = words();
    // Resolved, it has forgotten the promise or has a mark.
    this.changed = before.findIndex((word, i) => word !== after[i]) + layout.previous;
    this.doneWord = after[this.changed - layout.previous];
  }

  // {reject, done, promise: number of the candidate or -1}; undefined for other native functions.
  look(fn, candidates) {
    const { memory, layout } = this.capture;
    return memory.withAddresses([...this.probes, fn, ...candidates], (at) => {
      const shared = (i) => memory.word(at[i] + (layout.context - 1) * WORD);
      const which = [shared(0), shared(1)].indexOf(shared(2));
      if (which < 0) return undefined;
      const context = memory.word(at[2] + layout.context * WORD) - 1;
      const done = memory.word(context + this.changed * WORD) === this.doneWord;
      const wanted = memory.word(context + this.promiseAt * WORD) - 1;
      return { reject: which, done, promise: at.indexOf(wanted, 3) - 3 };
    });
  }
}

function recordNative(capture, fn, id) {
  const { graph, inspector } = capture;
  const slots = inspector.slots(fn);
  if (slots['[[TargetFunction]]']) return recordBound(capture, fn, id, slots);
  capture.combinators ??= new Combinators(capture);
  const combined = capture.combinators.record(fn, id);
  if (combined) return writeProperties(graph, fn, id, combined, (key) => NAMES.has(key));
  const format = fn.name === '' ? recordFormat(capture, fn, id) : undefined;
  if (format) return writeProperties(graph, fn, id, format, (key) => NAMES.has(key));
  capture.resolvers ??= new Resolvers(capture);
  const resolver = capture.resolvers.look(fn, []);
  if (!resolver) return graph.refuse(`a native function (${fn.name || 'without a name'})`, id);
  const record = { k: 'resolver', reject: resolver.reject };
  if (resolver.done) record.done = 1; else capture.openResolvers.push([fn, id]);
  return writeProperties(graph, fn, id, record, (key) => NAMES.has(key));
}

// The promises of those resolvers that can still settle theirs.
function settleResolvers(capture) {
  const { graph } = capture;
  const waiting = capture.openResolvers.splice(0);
  for (const [fn, id] of waiting) {
    const promises = capture.promises.known();
    const { promise } = capture.resolvers.look(fn, promises);
    const found = promise >= 0 ? promises[promise] : capture.promises.ofResolver(fn, id);
    graph.records[id].promise = graph.value(found, id, '(promise)');
  }
  return waiting.length > 0;
}

function recordInternal(capture, fn, id) {
  const { graph, inspector } = capture;
  if (fn.name === 'require' && fn.cache === Module._cache && fn.length === 1) {
    for (const { values } of inspector.scopes(fn)) {
      if (values.mod instanceof Module) {
        return { k: 'require', module: graph.value(values.mod, id, '(module)') };
      }
    }
  }
  const url = inspector.urls.get(require('./moving/natives').scriptIdOf(fn)) ?? 'Node';
  // It is made again from Node's source.
  if (KNOWN.has(idOfUrl(url))) return null;
  return graph.refuse(`a function of ${url} (${fn.name || 'without a name'})`, id);
}

module.exports = { recordInternal, recordNative, settleResolvers };
