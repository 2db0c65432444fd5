'use strict';
// The doors into Node's own library, opened by `--expose-internals` and closed again.
//
// `internalBinding(name)` is the object that Node's JavaScript shares with its C++ part: what is
// replaced on it is replaced for `fs`, `fs/promises`, streams and both module loaders alike.
// `internalRequire(id)` is the `require` of Node's own library. `conceal(preload)` makes the
// internals as unreachable for the program as they are without the option, and the preload with
// them.

const EXPLANATION =
  'oneos: this Node was started without --expose-internals, or is a version OneOS does not know\n' +
  '       start programs through the Runtime; Node 20 and 24 are known to work\n';

function open() {
  // Asking for the bindings warns that they are for Node's own tests.
  const warn = process.emitWarning;
  process.emitWarning = () => {};
  try {
    const { internalBinding, primordials } = require('internal/test/binding');
    const BuiltinModule = require('internal/modules/helpers').loadBuiltinModule('fs').constructor;
    if (typeof BuiltinModule.setRealmAllowRequireByUsers !== 'function') throw new Error('realm');
    return { internalBinding, primordials, BuiltinModule };
  } catch (error) {
    process.stderr.write(EXPLANATION);
    if (process.env.ONEOS_DEBUG) process.stderr.write(`${error.stack}\n`);
    process.exit(126);
  } finally {
    process.emitWarning = warn;
    delete globalThis.internalBinding;
    delete globalThis.primordials;
  }
}

const { internalBinding, primordials, BuiltinModule } = open();

function internalRequire(id) {
  return BuiltinModule.map.get(id).compileForInternalLoader();
}

// A second instance of one of Node's modules, which binds what stands on the bindings now.
function instantiate(id) {
  const module = { exports: {}, id };
  const body = internalBinding('builtins').compileFunction(id);
  body(module.exports, internalRequire, module, process, internalBinding, primordials);
  return module.exports;
}

// Run `action` before Node's module `id` first runs, or now if it has: few programs use it.
function beforeLoading(id, action) {
  const module = BuiltinModule.map.get(id);
  if (module === undefined) return;
  if (module.loaded) { action(); return; }
  module.compileForInternalLoader = function() {
    delete module.compileForInternalLoader;
    action();
    return module.compileForInternalLoader();
  };
}

function closeDoors() {
  const all = [...BuiltinModule.map.keys()];
  const open = all.filter((id) => !id.startsWith('internal/') &&
                                  BuiltinModule.canBeRequiredByUsers(id));
  const plain = open.filter((id) => BuiltinModule.canBeRequiredWithoutScheme(id));
  BuiltinModule.setRealmAllowRequireByUsers(open);
  // Modules that an option of Node made available are not in its fixed list.
  for (const id of open) {
    if (!BuiltinModule.canBeRequiredByUsers(id)) BuiltinModule.allowRequireByUsers(id);
  }
  const Module = require('module');
  const withScheme = Module.builtinModules.filter((id) => id.startsWith('node:'));
  const builtinModules = Module.builtinModules.filter((id) => plain.includes(id));
  Module.builtinModules = Object.freeze([...builtinModules, ...withScheme]);
}

// Leaves no trace of `preload`, a Module, in what the program can look at.
function conceal(preload) {
  closeDoors();
  const Module = require('module');
  const { filename, parent } = preload;
  delete Module._cache[filename];
  for (const key of Object.keys(Module._pathCache)) {
    if (Module._pathCache[key] === filename) delete Module._pathCache[key];
  }
  if (parent) parent.children.length = 0;
  const options = process.execArgv.indexOf(filename);
  if (options >= 2) process.execArgv.splice(options - 2, 3);
  Object.defineProperty(process, '_preload_modules', {
    configurable: true,
    enumerable: true,
    value: process._preload_modules.filter((name) => name !== filename),
  });
}

module.exports = { beforeLoading, internalBinding, internalRequire, instantiate, conceal };
