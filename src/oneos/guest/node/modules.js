'use strict';
// Modules of the tree: `require` and `import` as on one computer, from the tree's own paths.
//
// Both loaders read sources by `fs` and so from the tree already. What they do in C++ is replaced
// here: asking what a path is, reading package.json, choosing a package's main file. Nothing is
// staged on the host but native addons, which the dynamic loader must open by itself; so
// `__filename`, `import.meta.url` and stack traces show the tree's paths without any mapping.

const Module = require('module');
const { posix } = require('path');
const { Fail, asIfThrownAbove } = require('./errors');
const files = require('./files');
const { kindOf } = require('./filesystem');
const { internalBinding, internalRequire, instantiate } = require('./internals');
const { locate, wire } = require('./paths');
const { binding, isKnownMissing, original, runSync } = require('./steps');

// The same as `url`'s, from where it is loaded already.
const { fileURLToPath } = internalRequire('internal/url');

// The text of a file, or undefined where there is none to read.
function readText(path) {
  const place = locate(path);
  if (!place.native && isKnownMissing(wire(place.path))) return undefined;
  const opened = place.native ? files.openNative('open', place.path, files.O.O_RDONLY, 0) :
    files.open(place.path, files.O.O_RDONLY, 0);
  try {
    return runSync(files.withOpen(opened, 'read', files.readAll)).toString();
  } catch (fail) {
    if (!(fail instanceof Fail)) throw fail;
    return undefined;
  }
}

// --- package.json, Node 22 and later ------------------------------------------------------
// What the binding returns: [name, main, type, imports, exports, path], the last but one two as
// the JSON text of objects and lists, or a string as it is.
const packages = new Map();

function field(value) {
  if (value === undefined || value === null) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function readPackage(path, isESM, base, specifier) {
  const known = packages.get(path);
  if (known) return known;
  const text = readText(path);
  if (text === undefined) return undefined;
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    const from = base === undefined ? '' : ` while importing "${specifier}" from ` +
      (base.startsWith('file:') ? fileURLToPath(base) : base);
    const error = new Error(`Invalid package config ${path}${from}.`);
    error.code = 'ERR_INVALID_PACKAGE_CONFIG';
    throw error;
  }
  if (json === null || typeof json !== 'object') json = {};
  const string = (value) => (typeof value === 'string' ? value : undefined);
  const type = json.type === 'module' || json.type === 'commonjs' ? json.type : 'none';
  const found = [string(json.name), string(json.main), type,
                 field(json.imports), field(json.exports), path];
  packages.set(path, found);
  return found;
}

function nearestPackage(path) {
  for (let at = posix.dirname(path); ; at = posix.dirname(at)) {
    if (!at.endsWith('/node_modules')) {
      const found = readPackage(posix.join(at, 'package.json'), false);
      if (found) return found;
    } else {
      return undefined;
    }
    if (at === '/') return undefined;
  }
}

function packageScope(url) {
  let at = new URL('./package.json', url);
  for (;;) {
    const path = fileURLToPath(at);
    if (path.endsWith('node_modules/package.json')) return path;
    const found = readPackage(path, true);
    if (found) return found;
    const up = new URL('../package.json', at);
    if (up.pathname === at.pathname) return path;
    at = up;
  }
}

// `action`, with errors that look as if C++ had thrown them.
function asNative(action) {
  return function call(...args) {
    try {
      return action(...args);
    } catch (error) {
      throw asIfThrownAbove(error, call);
    }
  };
}

function installPackageReader(reader) {
  reader.readPackageJSON = asNative((path, isESM, base, specifier) => {
    const found = readPackage(path, isESM, base, specifier);
    return isESM && specifier !== undefined && (found?.[4] ?? null) === null ?
      withMain(found, path, specifier) : found;
  });
  reader.getNearestParentPackageJSON = asNative(nearestPackage);
  reader.getNearestParentPackageJSONType =
    asNative((path) => nearestPackage(path)?.[2] ?? 'none');
  reader.getPackageScopeConfig = asNative(packageScope);
  reader.getPackageType = asNative((url) => {
    const scope = packageScope(url);
    return Array.isArray(scope) && scope[2] !== 'none' ? scope[2] : undefined;
  });
  // Loaded before us, it has kept the native functions.
  Module.runMain = instantiate('internal/modules/run_main').executeUserEntryPoint;
}

// --- the main file of a package without "exports" -----------------------------------------
const MAIN_SUFFIXES = ['', '.js', '.json', '.node', '/index.js', '/index.json', '/index.node'];
const INDEX_NAMES = ['index.js', 'index.json', 'index.node'];

// [index in Node's list of ways, path]
function legacyMain(directory, main) {
  if (typeof main === 'string') {
    for (let i = 0; i < MAIN_SUFFIXES.length; i++) {
      const path = posix.resolve(directory, `./${main}${MAIN_SUFFIXES[i]}`);
      if (kindOf(path) === 0) return [i, path];
    }
  }
  for (let i = 0; i < INDEX_NAMES.length; i++) {
    const path = posix.resolve(directory, INDEX_NAMES[i]);
    if (kindOf(path) === 0) return [MAIN_SUFFIXES.length + i, path];
  }
  return undefined;
}

function installLegacyMain() {
  binding.legacyMainResolve = asNative((from, main, base) => {
    const directory = from.startsWith('file:') ? fileURLToPath(new URL('.', from)) : from;
    const found = legacyMain(directory, main);
    // What is nowhere in the tree is not at the same path of the host either, and the native
    // function says it best. If it were, loading it from the tree would fail.
    return found ? found[0] : original.legacyMainResolve(from, main, base);
  });
}

// Where the resolver was loaded before us it has kept the native function. It is not reached if a
// package without "exports" seems to have them: its main file, for who imports just its name.
function withMain(found, path, specifier) {
  const place = locate(path);
  if (!/^(@[^/]+\/)?[^/]+$/.test(specifier) || (place.native && !place.laid)) return found;
  const directory = posix.dirname(path);
  const main = legacyMain(directory, found?.[1]);
  const relative = main && posix.relative(directory, main[1]);
  if (!main || /(^|\/)(\.\.|node_modules)\//.test(relative)) return found;
  const exports = `./${relative.split('/').map(encodeURIComponent).join('/')}`;
  return [...(found ?? [undefined, undefined, 'none', null]).slice(0, 4), exports, path];
}

// --- both loaders -------------------------------------------------------------------------
function withoutWarnings(body) {
  const warn = process.emitWarning;
  process.emitWarning = () => {};
  try { body(); } finally { process.emitWarning = warn; }
}

// Node 20 keeps the native functions in its CommonJS loader, and reads package.json by another.
function installOld(reader) {
  binding.internalModuleReadJSON = (path) => {
    const text = readText(path);
    return text === undefined ? [] : [text, true];
  };
  Object.assign(reader, instantiate('internal/modules/package_json_reader'));
  withoutWarnings(() => {
    Module._stat = (path) => kindOf(path);
    Module._readPackage = reader.readPackage;
  });
}

// A native addon is copied to the host, since the dynamic loader opens it by itself.
function installAddons(stage) {
  const { dlopen } = process;
  let count = 0;
  process.dlopen = function(module, filename, ...flags) {
    const place = locate(filename);
    if (place.native) return dlopen.call(process, module, place.path, ...flags);
    const bytes = require('fs').readFileSync(filename);
    const path = posix.join(stage, `addon-${process.pid}-${count++}.node`);
    const fd = original.open(path, files.O.O_WRONLY | files.O.O_CREAT | files.O.O_EXCL, 0o700);
    try {
      runSync(files.writeAll(fd, bytes));
    } finally {
      original.close(fd);
    }
    return dlopen.call(process, module, path, ...flags);
  };
}

// `stage`: the private host directory of this process.
function install(stage) {
  installLegacyMain();
  if (binding.internalModuleReadJSON) {
    installOld(internalRequire('internal/modules/package_json_reader'));
  } else {
    installPackageReader(internalBinding('modules'));
  }
  installAddons(stage);
}

module.exports = { install };
