'use strict';
// What the console has counted, which timers it has begun, and how far it indents.

const KEPT = new Set(['counts', '_times', 'kGroupIndent', 'kGroupIndentWidth']);
const nameOf = (key) => (typeof key === 'symbol' ? key.description : key);
const keysOf = () => Reflect.ownKeys(console).filter((key) => KEPT.has(nameOf(key)));

function recordConsole({ graph }) {
  return keysOf().map((key) => {
    const value = console[key];
    if (typeof value !== 'object') return [nameOf(key), value];
    return [nameOf(key), [...Map.prototype.entries.call(value)].map(([label, of]) =>
      [graph.value(label, -1, 'console'), graph.value(of, -1, 'console')])];
  });
}

// `record`: with the values in their places.
function restoreConsole(at, record) {
  const kept = new Map(record);
  for (const key of keysOf()) {
    const value = kept.get(nameOf(key));
    if (value === undefined) continue;
    if (!Array.isArray(value)) console[key] = value;
    else for (const [label, of] of value) {
      Map.prototype.set.call(console[key], at.value(label), at.value(of));
    }
  }
}

module.exports = { recordConsole, restoreConsole };
