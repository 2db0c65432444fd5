'use strict';
// The functions with which Promise.all and its like, and finally, wait: native ones, whose state is
// in their context.
//
// Which kind one is, its code tells, compared with that of probes; what it holds, memory and a heap
// snapshot. The target calls the same method of Promise on stand-ins that hand out the functions,
// so what waits there is as native as it was.

const { WORD } = require('./moving/memory');

const SMALL = 0x100000000;
const COUNT_MAX = 1 << 20;
const SLOTS = 3;  // Of such a context: how many are awaited, what to settle, what has come in.
const STRING_MAX = 1000;  // Of longer strings the heap snapshot has but the beginning.

const ALL = ['all', 'allSettled', 'any'];

// What the method hands to `then` of each of `count` stand-ins: [[onFulfilled, onRejected], ...].
function handlersOf(method, count, settle) {
  const found = [];
  function Maker(executor) { executor(settle.resolve, settle.reject); }
  Maker.resolve = (item) => item;
  const items = Array.from({ length: count }, () => ({ then: (...two) => { found.push(two); } }));
  Promise[method].call(Maker, items);
  return found;
}

function finallyHandlers(action, maker = Promise) {
  let found;
  const item = { constructor: maker, then: (...two) => { found = two; } };
  Promise.prototype.finally.call(item, action);
  return found;
}

const ignore = { resolve: () => {}, reject: () => {} };

// [kind, which of two handlers, a function of that kind]
function probes() {
  const found = [];
  for (const method of ALL) {
    const [[yes, no]] = handlersOf(method, 2, ignore);
    if (method !== 'any') found.push([method, 0, yes]);
    if (method !== 'all') found.push([method, 1, no]);
  }
  const [done, failed] = finallyHandlers(() => {});
  found.push(['finally', 0, done], ['finally', 1, failed]);
  return found;
}

class Combinators {
  constructor(capture) {
    this.capture = capture;
    this.probes = probes();
    this.groups = new Map();  // Node of a context -> number of the record of the whole call.
  }

  // {kind, which, index, remaining, values}; undefined for other functions. The last is the words
  // of the list of what has come in.
  look(fn) {
    const { memory, layout } = this.capture;
    return memory.withAddresses([fn, ...this.probes.map(([, , probe]) => probe)], (at) => {
      const shared = (i) => memory.word(at[i] + (layout.context - 1) * WORD);
      const found = this.probes.findIndex((_, i) => shared(i + 1) === shared(0));
      if (found < 0) return undefined;
      const [kind, which] = this.probes[found];
      if (kind === 'finally') return { kind, which };
      const context = memory.word(at[0] + layout.context * WORD) - 1;
      const slot = (i) => memory.word(context + (layout.slots + i) * WORD);
      const size = memory.word(context + WORD) / SMALL - (layout.slots - 2);
      if (size !== SLOTS || slot(0) % 2 === 1) return { kind, which };
      const list = slot(2) - 1;
      const length = slot(2) === layout.undefined ? 0 : memory.word(list + WORD) / SMALL;
      const values = Array.from({ length }, (_, i) => memory.word(list + (2 + i) * WORD));
      // The number of the item is where other objects have a hash.
      const index = memory.word(at[0] + WORD) / SMALL - 1;
      return { kind, which, index, remaining: slot(0) / SMALL, values };
    });
  }

  record(fn, id) {
    const found = this.look(fn);
    if (!found) return undefined;
    const { graph } = this.capture;
    const heap = this.capture.snapshot();
    const context = heap.edge(heap.nodeOf(fn), 'context');
    const { kind, which, index } = found;
    if (kind === 'finally') {
      // What to call, and the constructor of the promise that it waits by.
      const parts = heap.edges(context).filter(({ type, to }) => type === 'hidden' &&
        heap.typeOf(to) === 'closure').sort((a, b) => a.name - b.name);
      if (parts.length !== 2) graph.refuse('a promise that waits for finally', id);
      const [action, maker] = parts.map(({ to }) => heap.live(to));
      return { k: 'finally', which, action: graph.value(action, id, '.finally'),
               maker: graph.value(maker, id, '(constructor)') };
    }
    if (!(index >= 0 && index < COUNT_MAX)) {
      return graph.refuse(`a Promise.${kind} that has ended in part`, id);
    }
    return { k: 'combined', which, index, group: [this.group(heap, context, found, id)] };
  }

  // The number of the record for the whole call of `Promise.all`.
  group(heap, context, { kind, remaining, values }, id) {
    if (this.groups.has(context)) return this.groups.get(context);
    const { graph } = this.capture;
    const record = { k: 'group', kind, remaining };
    const number = graph.id(record, id, `(Promise.${kind})`);
    graph.waiting.pop();
    graph.records[number] = record;
    this.groups.set(context, number);
    const parts = heap.edges(context).filter(({ type }) => type === 'hidden');
    const capability = parts.find(({ to }) => heap.nameOf(to).includes('PromiseCapability'));
    const list = parts.find(({ to }) => heap.typeOf(to) === 'array');
    if (!capability) graph.refuse(`a Promise.${kind} that is not understood`, id);
    const [, resolve, reject] = heap.edges(capability.to).filter(({ type }) => type === 'hidden')
      .map(({ to }) => heap.live(to));
    record.resolve = graph.value(resolve, number, '(resolve)');
    record.reject = graph.value(reject, number, '(reject)');
    // Before the first has come in there is no list.
    const nodes = new Map((list ? heap.edges(list.to) : [])
      .map(({ name, to }) => [Number(name), to]));
    record.values = values.map((word, i) => this.item(heap, word, nodes.get(i), number));
    return number;
  }

  // What a word of the list stands for; an empty list for nothing yet.
  item(heap, word, node, number) {
    const { graph, layout, memory } = this.capture;
    if (word % 2 === 0) {
      const signed = word / SMALL;
      return graph.value(signed >= SMALL / 2 ? signed - SMALL : signed, number);
    }
    if (word === layout.hole) return [];
    if (word === layout.undefined) return ['u'];
    for (const odd of [null, true, false]) {
      if (memory.withAddresses([odd], ([at]) => at + 1 === word)) return odd;
    }
    if (node !== undefined && heap.isObject(node)) {
      return graph.value(heap.live(node), number, '(value)');
    }
    const isText = node !== undefined && heap.typeOf(node) === 'string';
    const text = isText ? heap.nameOf(node) : undefined;
    if (text !== undefined && text.length < STRING_MAX) return text;
    return graph.refuse('a value that Promise.all has, but does not show', number);
  }
}

module.exports = { Combinators, finallyHandlers, handlersOf };
