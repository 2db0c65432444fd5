'use strict';
// The part of the fs binding that opens files and works on descriptors.
//
// A descriptor of a kernel file goes to the native functions for its bytes; here are those of
// files in use at another host, and for all files of the tree what the Runtime must know of: that
// they are opened, synced, changed in mode or times, and closed.

const { replace } = require('./bind');
const { Fail, ERRNO, toError } = require('./errors');
const files = require('./files');
const names = require('./names');
const { locate } = require('./paths');
const { binding, native, runAsync } = require('./steps');

const { O, table } = files;
const bytesOf = (view) => Buffer.from(view.buffer, view.byteOffset, view.byteLength);

function* refuse(errno) { throw new Fail(errno); }
function* statOf(attr, big) { return names.statArray(yield* attr, big); }

// --- opening and descriptors --------------------------------------------------------------
function openTask(path, flags, mode, opener = 'open') {
  const place = locate(path);
  const task = { syscall: 'open', path };
  if (path.length === 0) task.operation = refuse(ERRNO.ENOENT);
  else if (!place.native) task.operation = files.open(place.path, flags, mode, opener);
  else if (flags & (O.O_WRONLY | O.O_RDWR | O.O_CREAT | O.O_TRUNC)) {
    task.operation = refuse(ERRNO.EROFS);
  } else {
    task.operation = files.openNative(opener, place.path, flags, mode);
  }
  return task;
}

// A function of an open descriptor. `kinds`: of which files; others go to the native function.
function byDescriptor(name, argc, kinds, run, { syscall = name, moves = false } = {}) {
  replace(binding, name, argc, (args) => {
    const entry = table.get(args[0]);
    if (entry === undefined || !kinds.includes(entry.kind)) return undefined;
    const operation = run(entry, args);
    if (operation === undefined) return undefined;
    return { operation, syscall, entry: moves && entry.kind === 'remote' ? entry : undefined };
  });
}

// Files of this host are read by the native functions; but what ends may have broken off.
function readStream(entry, name, args) {
  return entry.stream ? files.readStream(entry, name, args) : undefined;
}

function* scatter(entry, views, position) {
  const data = Buffer.allocUnsafe(views.reduce((sum, view) => sum + view.byteLength, 0));
  const count = yield* files.read(entry, data, position);
  let from = 0;
  for (const view of views) from += data.copy(bytesOf(view), 0, from, count);
  return count;
}

function* futimes(entry, fd, atime, mtime) {
  // The kernel's file too: its times are what the Runtime sees when it commits.
  if (entry.kind === 'fd') yield native('futimes', fd, atime, mtime);
  const [atime_ns, mtime_ns] = [names.nanoseconds(atime), names.nanoseconds(mtime)];
  yield* names.setattr(entry, { atime_ns, mtime_ns });
}

function installFiles() {
  const all = ['fd', 'remote', 'dir'];
  const far = ['remote'];
  const moves = { moves: true };
  replace(binding, 'open', 3, ([path, flags, mode]) => openTask(path, flags, mode, 'open'));
  replace(binding, 'openFileHandle', 3, ([path, flags, mode]) =>
    openTask(path, flags, mode, 'openFileHandle'));
  byDescriptor('close', 1, all, (entry, [fd]) => files.close(fd));
  byDescriptor('fsync', 1, ['fd', 'remote'], files.sync);
  byDescriptor('fdatasync', 1, ['fd', 'remote'], files.sync);
  byDescriptor('fstat', 2, all, (entry, [, big, , lenient]) =>
    // readFileSync wants only the size, which the kernel's file has.
    (lenient === true && entry.kind === 'fd' ? undefined : statOf(files.fstat(entry), big)));
  byDescriptor('ftruncate', 2, far, (entry, [, size]) => files.ftruncate(entry, size));
  byDescriptor('fchmod', 2, all, (entry, [, mode]) =>
    names.setattr(entry, { mode: mode & 0o7777 }));
  byDescriptor('fchown', 3, all, (entry, [, uid, gid]) =>
    names.setattr(entry, { uid: names.id(uid), gid: names.id(gid) }));
  byDescriptor('futimes', 3, all, (entry, [fd, atime, mtime]) =>
    futimes(entry, fd, atime, mtime), { syscall: 'futime' });
  const reading = ['fd', 'remote'];
  byDescriptor('read', 5, reading, (entry, args) => {
    if (entry.kind === 'fd') return readStream(entry, 'read', args.slice(0, 5));
    const [, view, offset, length, position] = args;
    return files.read(entry, bytesOf(view).subarray(offset, offset + length), position);
  }, moves);
  byDescriptor('readBuffers', 3, reading, (entry, args) =>
    (entry.kind === 'fd' ? readStream(entry, 'readBuffers', args.slice(0, 3)) :
      scatter(entry, args[1], args[2])), { moves: true, syscall: 'read' });
  byDescriptor('writeBuffer', 5, far, (entry, [, view, offset, length, position]) =>
    files.write(entry, bytesOf(view).subarray(offset, offset + length), position),
    { moves: true, syscall: 'write' });
  byDescriptor('writeBuffers', 3, far, (entry, [, views, position]) =>
    files.write(entry, Buffer.concat(views.map(bytesOf)), position),
    { moves: true, syscall: 'write' });
  byDescriptor('writeString', 4, far, (entry, [, text, position, encoding]) =>
    files.write(entry, Buffer.from(text, encoding || 'utf8'), position),
    { moves: true, syscall: 'write' });
}

// --- whole files in one call --------------------------------------------------------------
function* readText(opened, flags) {
  return yield* files.withOpen(opened, 'read', function* (fd) {
    const entry = table.get(fd);
    if (entry?.kind === 'remote') return (yield* files.readAll(fd)).toString();
    const text = yield native('readFileUtf8', fd, flags);
    yield* files.ended(entry);
    return text;
  });
}

function* writeText(opened, data, flag, mode) {
  yield* files.withOpen(opened, 'write', function* (fd) {
    if (table.get(fd)?.kind === 'remote') yield* files.writeAll(fd, Buffer.from(data));
    else yield native('writeFileUtf8', fd, data, flag, mode);
  });
}

function installWholeFiles() {
  replace(binding, 'readFileUtf8', 2, (args) => {
    const [path, flags] = args;
    if (typeof path === 'number') {
      const entry = table.get(path);
      if (entry?.kind !== 'remote' && !entry?.stream) return undefined;
      return { operation: (function* () { return (yield* files.readAll(path)).toString(); })(),
               syscall: 'read' };
    }
    const place = locate(path);
    if (place.native && !place.laid) { args[0] = place.path; return undefined; }
    const { operation } = openTask(path, flags, 0o666, 'open');
    return { operation: readText(operation, flags), syscall: 'open', path };
  });
  replace(binding, 'writeFileUtf8', 4, ([path, data, flag, mode]) => {
    if (typeof path === 'number') {
      if (table.get(path)?.kind !== 'remote') return undefined;
      return { operation: files.writeAll(path, Buffer.from(data)), syscall: 'write' };
    }
    const { operation } = openTask(path, flag, mode, 'open');
    return { operation: writeText(operation, data, flag, mode), syscall: 'open', path };
  });
}

// --- FileHandle ---------------------------------------------------------------------------
function installFileHandle() {
  const { FileHandle } = binding;
  const nativeClose = FileHandle.prototype.close;
  FileHandle.prototype.close = function close() {
    const entry = files.release(this.fd);
    const closed = nativeClose.call(this);
    if (entry === undefined) return closed;
    return closed.then(() => new Promise((resolve, reject) => {
      runAsync(files.commit(entry), (fail) => (
        fail ? reject(toError(fail, 'close', undefined, undefined, null)) : resolve()));
    }));
  };
}

function install() {
  installFiles();
  installWholeFiles();
  installFileHandle();
}

module.exports = { install, openTask };
