'use strict';
// Iterators of arrays, maps and sets in the middle of their way, without advancing them.
//
// What one goes over is told by nothing but memory: it is looked for among what the program
// reaches otherwise, and in a heap snapshot if it is not there.

const { types } = require('util');
const { internalBinding } = require('./internals');
const { WORD } = require('./moving/memory');
const { probes } = require('./moving/probes');
const { writeProperties, writePrototype } = require('./moving/properties');

const { previewEntries } = internalBinding('util');
const TABLE = 3;  // The word of a map, a set and their iterators that is their table.

function kindOf(object) {
  if (types.isMapIterator(object)) return 'map';
  if (types.isSetIterator(object)) return 'set';
  if (types.isProxy(object)) return undefined;
  return Reflect.getPrototypeOf(object) === probes().ArrayIterator ? 'array' : undefined;
}

// Whether an iterator has come to its end; of other kinds than these only generators tell.
function isSpent({ inspector, layout, memory }, iterator) {
  const kind = kindOf(iterator);
  if (kind === 'array') {
    return memory.withAddresses([iterator], ([at]) =>
      memory.word(at + layout.iterated * WORD) === layout.spent ||
      memory.word(at + layout.index * WORD) === layout.spentIndex);
  }
  if (kind !== undefined) {
    const spent = (kind === 'map' ? new Map() : new Set()).values();
    spent.next();
    return memory.withAddresses([iterator, spent], (at) =>
      memory.word(at[0] + TABLE * WORD) === memory.word(at[1] + TABLE * WORD));
  }
  return types.isGeneratorObject(iterator) &&
    inspector.slots(iterator)['[[GeneratorState]]']() === 'closed';
}

// The record, whose `over` is still to be settled; undefined for anything else.
function recordIterator(capture, object, id) {
  const kind = kindOf(object);
  if (kind === undefined) return undefined;
  const { graph } = capture;
  const record = { k: 'iterator', of: kind };
  capture.iterators.push([object, id]);
  writePrototype(graph, object, id, record, probes()[{
    map: 'MapIterator', set: 'SetIterator', array: 'ArrayIterator',
  }[kind]]);
  return writeProperties(graph, object, id, record);
}

// Entries, keys or values: by how the rest looks in memory for arrays, by the inspector for maps.
function settleArray(capture, iterator, id, record) {
  const { graph, layout, memory } = capture;
  const lists = graph.values.filter((value) => typeof value === 'object' && value !== null &&
    (types.isArgumentsObject(value) || Array.isArray(value) || ArrayBuffer.isView(value)));
  if (isSpent(capture, iterator)) { record.done = 1; return; }
  const { over, index, kind } = layout.iteratorOf(iterator, lists);
  const list = over >= 0 ? lists[over] : capture.snapshot().iteratedBy(iterator);
  if (types.isProxy(list) || !(Array.isArray(list) || ArrayBuffer.isView(list) ||
      types.isArgumentsObject(list))) {
    graph.refuse('an iterator over what is not an array', id);
  }
  Object.assign(record, { over: graph.value(list, id, '(iterated)'), index, kind });
}

// For a collection that nothing has any more but its iterator: one of the rest.
function standIn({ of, kind }, entries) {
  const pairs = [];
  for (let i = 0; i < entries.length; i += kind === 'entries' ? 2 : 1) {
    if (kind === 'entries') pairs.push([entries[i], entries[i + 1]]);
    else pairs.push(of === 'map' && kind === 'values' ? [i, entries[i]] : [entries[i], undefined]);
  }
  return of === 'map' ? new Map(pairs) : new Set(pairs.map(([key]) => key));
}

function settleTable(capture, iterator, id, record) {
  const { graph, memory } = capture;
  const [entries, keyed] = previewEntries(iterator, true);
  const slots = capture.inspector.slots(iterator);
  record.kind = slots['[[IteratorKind]]']();
  const rest = keyed ? entries.length / 2 : entries.length;
  if (isSpent(capture, iterator)) { record.done = 1; return; }
  const isWanted = record.of === 'map' ? types.isMap : types.isSet;
  const tables = graph.values.filter((value) => isWanted(value));
  const found = memory.withAddresses([iterator, ...tables], (at) => {
    const table = memory.word(at[0] + TABLE * WORD);
    return tables.findIndex((_, i) => memory.word(at[i + 1] + TABLE * WORD) === table);
  });
  const over = found >= 0 ? tables[found] :
    capture.snapshot().tableOf(iterator, record.of === 'map' ? 'Map' : 'Set');
  if (over === undefined) {
    record.over = graph.value(standIn(record, entries), id, '(iterated)');
    record.index = 0;
    return;
  }
  record.over = graph.value(over, id, '(iterated)');
  record.index = over.size - rest;
}

function settleIterators(capture) {
  const waiting = capture.iterators.splice(0);
  for (const [iterator, id] of waiting) {
    const record = capture.graph.records[id];
    if (record.of === 'array') settleArray(capture, iterator, id, record);
    else settleTable(capture, iterator, id, record);
  }
  return waiting.length > 0;
}

module.exports = { isSpent, recordIterator, settleIterators };
