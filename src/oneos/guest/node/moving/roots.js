'use strict';
// Where the walk of a capture begins: all by which the program can go on.

const { readClocks } = require('./moving/clocks');
const { recordConsole } = require('./moving/consoles');
const modules = require('./moving/modules');
const { flagsOf } = require('./moving/properties');
const { shapes } = require('./moving/shapes');
const streams = require('./moving/streams');
const timers = require('./moving/timers');

function globals(capture, baseKeys) {
  const { graph } = capture;
  const found = [];
  for (const key of Reflect.ownKeys(globalThis)) {
    if (key === capture.inspector.name) continue;
    const property = Reflect.getOwnPropertyDescriptor(globalThis, key);
    const step = `globalThis.${String(key)}`;
    if (baseKeys.has(key)) {
      if (!('value' in property)) continue;
      const { value } = property;
      // One of Node's own that the program has replaced.
      const path = capture.builtins.pathOf(value);
      const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
      if (!isObject || path) continue;
    }
    const flags = flagsOf(property);
    const name = graph.value(key, -1, step);
    if ('value' in property) found.push([name, flags, graph.value(property.value, -1, step)]);
    else {
      found.push([name, flags, graph.value(property.get, -1, step),
                  graph.value(property.set, -1, step)]);
    }
  }
  return found;
}

// What the program has put into objects of Node's.
function patches(capture) {
  const { graph, builtins } = capture;
  return builtins.patches.filter(([object]) => object !== globalThis).map(([object, key]) => {
    const property = Reflect.getOwnPropertyDescriptor(object, key);
    const owner = graph.value(object, -1, 'a built-in object');
    const step = `${String(key)} of a built-in object`;
    const flags = flagsOf(property);
    const name = graph.value(key, -1, step);
    if ('value' in property) return [owner, [name, flags, graph.value(property.value, -1, step)]];
    return [owner, [name, flags, graph.value(property.get, -1, step),
                    graph.value(property.set, -1, step)]];
  });
}

const FLAGS = ['noDeprecation', 'throwDeprecation', 'traceDeprecation'];

function find(capture, baseKeys) {
  const { graph } = capture;
  const found = {};
  found.timers = [...capture.pending].filter((timer) => !capture.isOurTimer?.(timer))
    .map((timer) => graph.value(timer, -1, 'a timer'));
  found.immediates = timers.pendingImmediates()
    .map((immediate) => graph.value(immediate, -1, 'an immediate'));
  found.esm = capture.modules.roots();
  found.modules = modules.moduleRoots(capture);
  found.globals = globals(capture, baseKeys);
  found.process = streams.listenersOf(capture, process, -1);
  found.streams = capture.streams.flatMap((stream, fd) =>
    (stream ? [graph.value(stream, -1, `process.${['stdin', 'stdout', 'stderr'][fd]}`)] : []));
  found.patches = patches(capture);
  found.shapes = shapes(capture.builtins.patches);
  found.readlines = capture.readlines.map((one) => graph.value(one, -1, 'a readline interface'));
  found.console = recordConsole(capture);
  found.clocks = readClocks();
  found.env = { ...process.env };
  found.argv = process.argv.map(String);
  found.cwd = process.cwd();
  found.exitCode = graph.value(process.exitCode, -1, 'process.exitCode');
  found.title = process.title;
  found.stackTraceLimit = graph.value(Error.stackTraceLimit, -1, 'Error.stackTraceLimit');
  found.flags = FLAGS.filter((name) => typeof process[name] === 'boolean')
    .map((name) => [name, process[name]]);
  found.umask = process.umask();
  return found;
}

module.exports = { find };
