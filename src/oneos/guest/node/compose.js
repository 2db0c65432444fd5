'use strict';
// Operations that Node does in C++ in one call and the tree in several: copying a file, removing
// and copying trees, and reading a directory piece by piece.

const { Fail, ERRNO } = require('./errors');
const { O, close, open, read, table, writeAll } = require('./files');
const names = require('./names');
const { native, original } = require('./steps');
const { wire } = require('./paths');

const COPY_BYTES = 512 * 1024;

function* openPlace(place, flags) {
  return place.native ? yield native('open', place.path, flags, 0) :
    yield* open(place.path, flags, 0);
}

function* shut(fd) {
  if (table.has(fd)) yield* close(fd); else original.close(fd);
}

function* attrOf(place) {
  if (!place.native) return yield* names.attr(place.path);
  const stats = yield native('stat', place.path, false);
  return [stats[1], stats[7], stats[0]];
}

function* copyBytes(from, to) {
  const entry = table.get(from);
  const chunk = Buffer.allocUnsafeSlow(COPY_BYTES);
  for (;;) {
    const count = entry && entry.kind !== 'fd' ? yield* read(entry, chunk, -1) :
      yield native('read', from, chunk, 0, chunk.length, -1);
    if (count === 0) return;
    yield* writeAll(to, chunk.subarray(0, count));
  }
}

function* copyContent(from, to, mode) {
  const [bits, ino, dev] = yield* attrOf(from);
  if ((bits & names.S_IFMT) === 0o040000) throw new Fail(ERRNO.EISDIR);
  const source = yield* openPlace(from, O.O_RDONLY);
  try {
    if (!from.native && !(mode & O.COPYFILE_EXCL)) {
      try {
        const there = yield* names.attr(to.path);
        if (there[1] === ino && there[2] === dev) return;
      } catch (fail) {
        if (fail.errno !== ERRNO.ENOENT) throw fail;
      }
    }
    const exclusive = mode & O.COPYFILE_EXCL ? O.O_EXCL : 0;
    const target = yield* open(to.path, O.O_WRONLY | O.O_CREAT | O.O_TRUNC | exclusive, bits);
    try {
      yield* copyBytes(source, target);
      yield ['chmod', wire(to.path), bits & 0o7777];
    } catch (fail) {
      try { yield* shut(target); } catch { /* the first error tells more */ }
      throw fail;
    }
    yield* shut(target);
  } finally {
    yield* shut(source);
  }
}

function* copyFile(from, to, mode) {
  if (mode & O.COPYFILE_FICLONE_FORCE) throw new Fail(ERRNO.ENOTSUP);
  if (to.native) throw new Fail(ERRNO.EROFS);
  try {
    yield* copyContent(from, to, mode);
  } catch (fail) {
    // Whatever failed, the program called copyfile on these two paths.
    if (fail instanceof Fail) throw new Fail(fail.errno, { hint: fail.hint });
    throw fail;
  }
}

// What `fs.Dir` holds: the entries of a directory as they were when it was opened.
class DirHandle {
  constructor(entries, deliver) {
    this.entries = entries;
    this.next = 0;
    this.deliver = deliver;
  }

  read(encoding, count, request) {
    const batch = this.entries.slice(this.next, this.next + count);
    this.next += batch.length;
    const flat = batch.flatMap(([name, mode]) =>
      [names.encoded(name, encoding), names.DIRENT[mode & names.S_IFMT] ?? 0]);
    const value = flat.length ? flat : null;
    if (request === undefined) return value;
    this.deliver(request, value);
    return undefined;
  }

  close(request) {
    if (request !== undefined) this.deliver(request, undefined);
  }
}

function* openDirectory(path, deliver) {
  return new DirHandle(yield ['list', wire(path)], deliver);
}

// A name and, if it is a directory, all below it.
function* removeTree(path, recursive) {
  const attr = yield* names.attr(path, false);
  if (!names.isDirectory(attr)) { yield* names.unlink(path); return; }
  if (recursive) {
    const slash = Buffer.from('/');
    for (const [name] of yield* names.list(path)) {
      yield* removeTree(Buffer.concat([wire(path), slash, name]), true);
    }
  }
  yield* names.rmdir(path);
}

module.exports = { copyFile, openDirectory, removeTree };
