'use strict';
// The fs binding over the tree: which of its functions does which operation.
//
// Paths that lead to the host's own files go to the native function if they only read, and are
// refused with EROFS if they write. A function of the binding that is not named here is refused
// with ENOSYS: a newer Node never reaches the host's files by a way that nobody looked at.

const { deliver, now, replace } = require('./bind');
const { Fail, ERRNO } = require('./errors');
const descriptors = require('./descriptors');
const files = require('./files');
const { internalBinding } = require('./internals');
const names = require('./names');
const { NOWHERE, locate } = require('./paths');
const { binding, native, original, runSync } = require('./steps');

// Copying and removing trees: loaded when a program first does that.
const compose = () => require('./compose');

function* refuse(errno) { throw new Fail(errno); }

// --- names --------------------------------------------------------------------------------
// A function whose first `paths` arguments are paths. `run(places, args)` makes the operation.
// `refuses(args)`: whether the native function is to throw its error of the other arguments.
function byPath(name, argc, run,
                { paths = 1, syscall = name, changes = false, shown, refuses } = {}) {
  replace(binding, name, argc, (args) => {
    if (refuses?.(args)) return undefined;
    const places = [locate(args[0])];
    if (paths === 2) places.push(locate(args[1]));
    const task = { syscall, path: args[0], quiet: args[argc + 1] === false };
    if (paths === 2) task.dest = args[1];
    if (shown) task.path = shown(args[0]);
    if (args[0].length === 0) {
      task.operation = refuse(ERRNO.ENOENT);
    } else if (!places.some((place) => place.native)) {
      task.operation = run(places, args);
    } else if (changes) {
      task.operation = refuse(ERRNO.EROFS);
    } else {
      places.forEach((place, i) => { args[i] = place.path; });
      if (places[0].laid) return { laid: places[0].path, shown: task.path };
      return undefined;
    }
    return task;
  });
}

// A mode of `access` or `copyFile` that Node's C++ part refuses: it is left to that, which then
// gets nothing else of the program.
function refusesMode(args, at) {
  const mode = args[at];
  if (mode === undefined || mode === null) return false;
  if (Number.isInteger(mode) && mode >= 0 && mode <= 7) return false;
  args.fill(NOWHERE, 0, at);
  return true;
}

function installNames(identity) {
  const change = { changes: true };
  byPath('access', 2, ([at], [, mode]) => names.access(at.path, mode, identity),
         { refuses: (args) => refusesMode(args, 1) });
  byPath('stat', 2, ([at], [, big]) => statOf(names.attr(at.path), big));
  byPath('lstat', 2, ([at], [, big]) => statOf(names.attr(at.path, false), big));
  byPath('statfs', 2, ([at], [, big]) => statfs(at.path, big, identity().stage));
  byPath('readdir', 3, ([at], [, encoding, types]) => names.readdir(at.path, encoding, types),
         { syscall: 'scandir' });
  byPath('realpath', 2, ([at], [, encoding]) => names.realpath(at.path, encoding));
  byPath('readlink', 2, ([at], [, encoding]) => names.readlink(at.path, encoding));
  byPath('rmdir', 1, ([at]) => names.rmdir(at.path), change);
  byPath('unlink', 1, ([at]) => names.unlink(at.path), change);
  byPath('chmod', 2, ([at], [, mode]) => names.chmod(at.path, mode), change);
  for (const [name, follow] of [['chown', true], ['lchown', false]]) {
    byPath(name, 3, ([at], [, uid, gid]) => names.chown(at.path, uid, gid, follow), change);
  }
  for (const [name, syscall, follow] of [['utimes', 'utime', true], ['lutimes', 'lutime', false]]) {
    byPath(name, 3, ([at], [, atime, mtime]) => names.utime(at.path, atime, mtime, follow),
           { changes: true, syscall });
  }
  byPath('mkdtemp', 2, ([], [prefix, encoding]) => names.mkdtemp(prefix, encoding, locate),
         { changes: true, shown: (prefix) => `${prefix}XXXXXX` });
  byPath('rename', 2, ([old, fresh]) => names.rename(old.path, fresh.path),
         { changes: true, paths: 2 });
  replace(binding, 'link', 2, ([old, fresh]) => (
    { operation: makeLink(old, fresh), syscall: 'link', path: old, dest: fresh }));
  replace(binding, 'symlink', 3, ([target, path]) => (
    { operation: makeSymlink(target, path), syscall: 'symlink', path: target, dest: path }));
  replace(binding, 'copyFile', 3, (args) => {
    if (refusesMode(args, 2)) return undefined;
    const [from, to, mode] = args;
    return {
      operation: compose().copyFile(locate(from), locate(to), mode || 0),
      syscall: 'copyfile', path: from, dest: to,
    };
  });
  replace(binding, 'mkdir', 3, ([path, mode, recursive]) => (
    { operation: makeDirectory(path, mode, recursive), syscall: 'mkdir', path }));
  replace(binding, 'rmSync', 4, ([path, , recursive]) => (
    { operation: remove(path, recursive), syscall: 'rm', path }));
}

function* makeLink(old, fresh) {
  if (old.length === 0) throw new Fail(ERRNO.ENOENT);
  const [from, to] = [locate(old), locate(fresh)];
  if (to.native) throw new Fail(ERRNO.EROFS);
  // What is the host's and what is the tree's are two file systems.
  if (from.native) throw new Fail(ERRNO.EXDEV);
  yield* names.link(from.path, to.path);
}

// The target is a text: whose path it is, matters when somebody follows it.
function* makeSymlink(target, path) {
  if (path.length === 0) throw new Fail(ERRNO.ENOENT);
  const place = locate(path);
  if (place.native) throw new Fail(ERRNO.EROFS);
  yield* names.symlink(target, place.path);
}

// Of the tree as a whole: how much this host has for it, which is where its Runtime is.
function* statfs(path, big, stage) {
  yield* names.attr(path);
  return yield native('statfs', stage, big);
}

function* statOf(attr, big) { return names.statArray(yield* attr, big); }

function* makeDirectory(path, mode, recursive) {
  if (path.length === 0) throw new Fail(ERRNO.ENOENT);
  const place = locate(path);
  if (place.native) {
    const kind = original.internalModuleStat(String(place.path));
    if (kind === 1 && recursive) return undefined;
    throw new Fail(kind < 0 ? ERRNO.EROFS : ERRNO.EEXIST);
  }
  return recursive ? yield* names.mkdirp(path, mode, locate) :
    yield* names.mkdir(place.path, mode);
}

function* remove(path, recursive) {
  const place = locate(path);
  if (place.native) throw new Fail(ERRNO.EROFS);
  try {
    yield* compose().removeTree(place.path, recursive);
  } catch (fail) {
    // Node has asked before whether it is there and must be.
    if (fail.errno !== ERRNO.ENOENT) throw fail;
  }
}

// --- what answers without throwing --------------------------------------------------------
// 0 for a file, 1 for a directory, a negative errno for neither.
function kindOf(path) {
  const place = locate(path);
  if (place.native) return original.internalModuleStat(place.path);
  try {
    return names.isDirectory(runSync(names.attr(place.path))) ? 1 : 0;
  } catch (fail) {
    if (!(fail instanceof Fail)) throw fail;
    return -fail.errno;
  }
}

function firstBytes(path) {
  return runSync(files.withOpen(descriptors.openTask(path, files.O.O_RDONLY, 0).operation, 'read',
    function* (fd) { return (yield* files.readAll(fd)).subarray(0, 4); }));
}

const WASM_MAGIC = Buffer.from([0x00, 0x61, 0x73, 0x6d]);

function installAnswers() {
  binding.existsSync = (path) => path.length > 0 && kindOf(path) >= 0;
  // Some versions pass the receiver first.
  binding.internalModuleStat = (...args) => kindOf(args[args.length - 1]);
  binding.getFormatOfExtensionlessFile = (path) => {
    try {
      return firstBytes(path).equals(WASM_MAGIC) ? 1 : 0;
    } catch {
      return 0;
    }
  };
}

// --- directories and trees ----------------------------------------------------------------
// Directories that are read piece by piece.
function installDirectories() {
  const directories = internalBinding('fs_dir');
  const begin = (args) => {
    const place = locate(args[0]);
    if (place.native) { args[0] = place.path; return undefined; }
    const operation = args[0].length ? compose().openDirectory(place.path, deliver) :
      refuse(ERRNO.ENOENT);
    return { operation, syscall: 'opendir', path: args[0] };
  };
  replace(directories, 'opendir', 2, begin);
  // The synchronous function's errors name no path.
  replace(directories, 'opendirSync', 1, (args) => {
    const task = begin(args);
    return task && { ...task, path: undefined };
  });
}

// --- watching -----------------------------------------------------------------------------
function installWatching() {
  const { FSEvent } = internalBinding('fs_event_wrap');
  const { StatWatcher } = binding;
  const start = { event: FSEvent.prototype.start, stat: StatWatcher.prototype.start };
  FSEvent.prototype.start = function(path, persistent, recursive, encoding) {
    const place = locate(path);
    return place.native ? start.event.call(this, place.path, persistent, recursive, encoding) :
      require('./watch').startEvent(this, path, persistent, encoding);
  };
  StatWatcher.prototype.start = function(path, intervalMs) {
    const place = locate(path);
    return place.native ? start.stat.call(this, place.path, intervalMs) :
      require('./watch').startStat(this, path, intervalMs);
  };
}

// Nodes from 22 on copy trees in C++.
function installCopyTree() {
  for (const name of ['cpSyncCheckPaths', 'cpSyncOverrideFile', 'cpSyncCopyDir']) {
    if (binding[name]) binding[name] = (...args) => require('./copytree')[name](...args);
  }
}

const HANDLED = new Set([
  'FSReqCallback', 'FileHandle', 'StatWatcher', 'legacyMainResolve', 'internalModuleReadJSON',
]);

function refuseUnknown() {
  for (const [name, value] of Object.entries(binding)) {
    if (typeof value !== 'function' || value !== original[name] || HANDLED.has(name)) continue;
    binding[name] = function refused() {
      return now({ operation: refuse(ERRNO.ENOSYS), syscall: name }, undefined, refused);
    };
  }
}

// `identity`: gives {uid, gid} of the program.
function install(identity) {
  installNames(identity);
  descriptors.install();
  installAnswers();
  installDirectories();
  installCopyTree();
  installWatching();
  refuseUnknown();
}

module.exports = { install, kindOf };
