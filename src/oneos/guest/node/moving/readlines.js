'use strict';
// Interfaces of `readline` that read lines from a stream which is no terminal.

// What is set by hand after the interface was made anew, by the names of Node's own symbols.
const STATE = new Set(['_line_buffer', '_questionCallback', '_sawReturnAt', '_decoder', '_oldPrompt',
                       '_previousKey', '_previousCursorCols']);
const NUMBERS = ['line', 'cursor', 'paused', 'crlfDelay', 'historySize'];

const isLoaded = () => process.moduleLoadList.includes('NativeModule readline');

function symbolOf(object, name) {
  return Object.getOwnPropertySymbols(object).find(({ description }) => description === name);
}

function recordReadline(capture, object, id) {
  if (!isLoaded()) return undefined;
  const { Interface } = require('readline');
  // What reads another stream is a listener like others, and moves by what it has.
  if (!(object instanceof Interface) || !capture.streams.includes(object.input)) return undefined;
  const { graph } = capture;
  if (Reflect.getPrototypeOf(object) !== Interface.prototype) {
    graph.refuse('a readline interface of a class of its own', id);
  }
  if (object.terminal) graph.refuse('a readline interface of a terminal', id);
  const record = {
    k: 'readline',
    input: graph.value(object.input, id, '.input'),
    output: graph.value(object.output, id, '.output'),
    prompt: object.getPrompt(), closed: object.closed ? 1 : 0,
    listeners: capture.listenersOf(object, id), state: [],
  };
  for (const symbol of Object.getOwnPropertySymbols(object)) {
    if (!STATE.has(symbol.description)) continue;
    if (symbol.description === '_decoder') {
      const { lastNeed, lastTotal, lastChar } = object[symbol] ?? {};
      // The bytes of a character whose last ones were not read yet.
      if (lastNeed) record.partial = lastChar.latin1Slice(0, lastTotal - lastNeed);
      continue;
    }
    const { description } = symbol;
    record.state.push([description, graph.value(object[symbol], id, `.${description}`)]);
  }
  for (const name of NUMBERS) record.state.push([name, graph.value(object[name], id, `.${name}`)]);
  return record;
}

function makeReadline(record, at) {
  const [input, output] = [at.value(record.input), at.value(record.output)];
  const made = require('readline').createInterface({
    input, output: output ?? undefined, prompt: record.prompt, terminal: false,
  });
  at.readlines.push(() => {
    for (const [name, value] of record.state) {
      const key = symbolOf(made, name) ?? name;
      made[key] = at.value(value);
    }
    if (record.partial) {
      made[symbolOf(made, '_decoder')].write(Buffer.from(record.partial, 'latin1'));
    }
    if (record.closed) made.close();
    for (const [type, listener] of record.listeners) made.on(at.value(type), at.value(listener));
  });
  return made;
}

// The interfaces that live: only Node's own listeners lead to them.
function readlinesIn({ inspector, streams }) {
  if (!isLoaded()) return [];
  const { Interface } = require('readline');
  const { objects } = inspector.post('Runtime.queryObjects', {
    prototypeObjectId: inspector.idOf(Interface.prototype), objectGroup: 'oneos',
  });
  return Array.from(inspector.objectOf(objects.objectId))
    .filter((object) => !Object.hasOwn(object, 'constructor') && !object.closed &&
      object.input && streams.includes(object.input));
}

module.exports = { makeReadline, readlinesIn, recordReadline };
