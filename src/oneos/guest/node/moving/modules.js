'use strict';
// The modules of `require`, as objects like others.

const Module = require('module');
const { internalRequire } = require('./internals');
const { writeProperties, writePrototype } = require('./moving/properties');

const isModule = (object) => object instanceof Module;

// How Node keeps the parent of a module: not to be seen as a property.
const { kModuleSource, kModuleExport } = (() => {
  try { return internalRequire('internal/modules/cjs/loader'); } catch { return {}; }
})();
const HIDDEN = new Set([kModuleSource, kModuleExport].filter(Boolean));

function recordModule(capture, module, id) {
  if (Reflect.getPrototypeOf(module) !== Module.prototype) return undefined;
  const { graph } = capture;
  const record = { k: 'module', main: process.mainModule === module ? 1 : 0 };
  const symbols = Object.getOwnPropertySymbols(module);
  for (const symbol of symbols) {
    if (symbol.description === 'kIsMainSymbol' && module[symbol]) record.main = 1;
  }
  writeProperties(graph, module, id, record, (key) => typeof key === 'symbol' || HIDDEN.has(key));
  return writePrototype(graph, module, id, record, Module.prototype);
}

function moduleRoots(capture) {
  const { graph } = capture;
  const roots = [];
  for (const [name, module] of Object.entries(Module._cache)) {
    roots.push([name, graph.value(module, -1, `module ${name}`)]);
  }
  return roots;
}

module.exports = { isModule, moduleRoots, recordModule };
