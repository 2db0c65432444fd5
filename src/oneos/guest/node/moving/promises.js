'use strict';
// Promises: settled ones by their value, pending ones by who waits for them.
//
// What waits is a reaction: a pair of handlers and the promise that `then` gave, or a suspended
// async function. Only a heap snapshot shows reactions; whether there are any, memory tells.

const { types } = require('util');
const { internalBinding } = require('./internals');
const { Frames } = require('./moving/frames');
const { WORD } = require('./moving/memory');
const { writeProperties, writePrototype } = require('./moving/properties');

const { getPromiseDetails } = internalBinding('util');
const [PENDING, FULFILLED] = [0, 1];
const REACTIONS = 3;  // The word of a promise that has its reactions, or its result.

class Promises {
  constructor(capture) {
    this.capture = capture;
    this.pending = [];
    this.frames = new Frames(capture);
    // By these the parts of a reaction are told from each other.
    this.probe = new Promise(() => {});
    this.probe.then(function oneosProbe() {});
  }

  record(object, id) {
    if (types.isGeneratorObject(object)) return this.frames.begin(object, id, false);
    if (!types.isPromise(object)) return undefined;
    const { graph, memory } = this.capture;
    const record = { k: 'promise' };
    writePrototype(graph, object, id, record, Promise.prototype);
    writeProperties(graph, object, id, record);
    const [state, result] = getPromiseDetails(object);
    if (state === PENDING) {
      const reactions = memory.withAddresses(
        [object], ([at]) => memory.word(at + REACTIONS * WORD));
      if (reactions !== 0) this.pending.push([object, id]);
      record.state = 'pending';
      record.reactions = [];
    } else {
      record.state = state === FULFILLED ? 'fulfilled' : 'rejected';
      record.result = graph.value(result, id, '(result)');
    }
    return record;
  }

  known() { return this.capture.graph.values.filter((value) => types.isPromise(value)); }

  ofResolver(fn, id) {
    const heap = this.capture.snapshot();
    const context = heap.edge(heap.nodeOf(fn), 'context');
    const found = heap.edges(context).filter(({ type, to }) => type !== 'internal' &&
      heap.typeOf(to) === 'object' && heap.nameOf(to) !== 'system / Context' &&
      types.isPromise(heap.live(to)));
    if (found.length !== 1) this.capture.graph.refuse('a promise that is not found', id);
    return heap.live(found[0].to);
  }

  // Looks up the reactions of pending promises, and what is suspended; false if there were none.
  settle() {
    const waiting = this.pending.splice(0);
    for (const [promise, id] of waiting) this.reactions(promise, id);
    return this.frames.settle() || waiting.length > 0;
  }

  partsOf(heap, reaction) {
    const hidden = [];
    for (const { type, name, to } of heap.edges(reaction)) if (type === 'hidden') hidden[name] = to;
    return hidden;
  }

  firstPart(heap) {
    if (this.first === undefined) {
      const reaction = heap.edge(heap.nodeOf(this.probe), 'reactions_or_result');
      const parts = this.partsOf(heap, reaction);
      const isProbe = (to) => to !== undefined && heap.nameOf(to) === 'oneosProbe';
      this.first = parts.findIndex(isProbe) - 1;
    }
    return this.first;
  }

  reactions(promise, id) {
    const { graph } = this.capture;
    const heap = this.capture.snapshot();
    const isReaction = (node) =>
      node !== undefined && heap.nameOf(node).includes('PromiseReaction');
    const first = this.firstPart(heap);
    const found = [];
    let at = heap.edge(heap.nodeOf(promise), 'reactions_or_result');
    while (isReaction(at)) {
      const parts = this.partsOf(heap, at);
      const next = isReaction(parts[first]) ? parts[first] : undefined;
      const from = next === undefined ? first : first + 1;
      found.push(this.reaction(heap, parts.slice(from, from + 3), id));
      at = next;
    }
    // V8 has the latest first.
    graph.records[id].reactions = found.reverse();
  }

  reaction(heap, [reject, fulfill, then], id) {
    const { graph } = this.capture;
    const context = fulfill === undefined ? undefined : heap.edge(fulfill, 'context');
    const frame = context === undefined ? undefined : heap.edge(context, 'extension');
    if (frame !== undefined && /Generator|AsyncFunction/.test(heap.nameOf(frame))) {
      const suspended = heap.live(frame);
      if (!graph.ids.has(suspended)) {
        const number = graph.id(suspended, id, '(awaited by)');
        graph.waiting.pop();
        graph.records[number] = this.frames.begin(suspended, number, true, frame);
      }
      return { await: [graph.ids.get(suspended)] };
    }
    const isFunction = (node) => node !== undefined && heap.typeOf(node) === 'closure';
    const record = {};
    if (isFunction(fulfill)) record.fulfill = graph.value(heap.live(fulfill), id, '.then');
    if (isFunction(reject)) record.reject = graph.value(heap.live(reject), id, '.catch');
    if (then === undefined) return record;
    if (heap.isObject(then)) {
      const promise = heap.live(then);
      if (!types.isPromise(promise)) graph.refuse('a reaction that is not understood', id);
      record.then = graph.value(promise, id, '(then)');
    } else if (heap.nameOf(then).includes('PromiseCapability')) {
      // A promise of a class of its own, or one that a move made: with what settles it.
      record.settle = heap.edges(then).filter(({ type }) => type === 'hidden')
        .map(({ to }) => graph.value(heap.live(to), id, '(then)'));
      if (record.settle.length !== 3) graph.refuse('a reaction that is not understood', id);
    }
    return record;
  }
}

module.exports = { Promises };
