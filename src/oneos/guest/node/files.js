'use strict';
// Open files: descriptors of the program and the Runtime's handles behind them.
//
// A file of kind `fd` is a kernel file, opened natively: its reads and writes never come here. One
// of kind `remote` is in use at another host: its descriptor is a placeholder, on which the kernel
// refuses both reading and writing, so that nothing that slips past is answered wrongly; its bytes
// travel by `pread` and `pwrite`. A directory has a placeholder too, and no handle.

const { Fail, ERRNO } = require('./errors');
const { wire } = require('./paths');
const limits = require('./limits');
const looks = require('./looks');
const names = require('./names');
const { native, original, post } = require('./steps');
const { internalBinding } = require('./internals');

const O = internalBinding('constants').fs;
// What the Runtime has already done or checked when it answers an `open`.
const DONE = O.O_CREAT | O.O_EXCL | O.O_TRUNC | O.O_NOFOLLOW;
const PLACEHOLDER = '/';

// Descriptor -> {kind, h, path, writes, append, position, busy}
const table = new Map();

const writes = (flags) => (flags & (O.O_WRONLY | O.O_RDWR)) !== 0;

// A failure after the opening names the call and no path, as the kernel's would.
function named(fail, syscall) {
  if (fail instanceof Fail) { fail.syscall ??= syscall; fail.bare = true; }
  return fail;
}

const fdOf = (opened) => (typeof opened === 'number' ? opened : opened.fd);

// Open `path` of the tree. `opener`: the native function that makes the result, `open` for a
// descriptor or `openFileHandle` for a FileHandle.
function* open(path, flags, mode, opener = 'open') {
  if (flags === O.O_RDONLY && opener === 'open') {
    const opened = yield* openAgain(path);
    if (opened !== undefined) return opened;
  }
  const begun = looks.begin();
  const answer = yield ['open', wire(path), flags, flags & O.O_CREAT ? names.masked(mode) : 0];
  const { k: kind, h } = answer;
  if (kind === 'host') return yield* openNative(opener, answer.path, flags & ~DONE, 0);
  const entry = { kind, h, path, writes: writes(flags), append: false, position: 0, busy: null };
  entry.stream = answer.stream === true;
  if (kind === 'fd') {
    let opened;
    try {
      opened = yield native(opener, answer.path, flags & ~DONE, 0);
    } catch (fail) {
      yield post(['close', h]);
      throw fail;
    }
    yield* enter(opened, entry);
    yield post(['opened', h]);
    if (answer.again) looks.lend(wire(path), begun, answer.path, answer.again);
    return opened;
  }
  if (kind === 'remote') entry.append = answer.append;
  else if (kind === 'dir') entry.path = answer.path;
  else throw new Fail(ERRNO.EIO, { hint: `the Runtime answered an open with kind ${kind}` });
  const opened = yield native(opener, PLACEHOLDER, O.O_RDONLY, 0);
  yield* enter(opened, entry);
  return opened;
}

// A descriptor of a file that was lent to this program; undefined where it has to be asked for.
function* openAgain(path) {
  const found = looks.borrowed(wire(path));
  if (found === undefined) return undefined;
  let fd;
  try {
    fd = yield native('open', found.path, O.O_RDONLY, 0);
  } catch {
    return undefined;
  }
  if (!looks.holds(found)) {
    original.close(fd);
    return undefined;
  }
  const entry = { kind: 'fd', h: undefined, path, fd, shown: found.attr, writes: false };
  yield* enter(fd, entry);
  return fd;
}

// Put a newly opened descriptor into the table. If its number stands there it was closed without
// our being asked, as the collector closes a forgotten FileHandle.
function* enter(opened, entry) {
  const stale = release(fdOf(opened));
  if (entry) table.set(fdOf(opened), entry);
  if (stale?.h !== undefined) yield post(['close', stale.h]);
}

// Open a file of the host.
function* openNative(opener, path, flags, mode) {
  const opened = yield native(opener, path, flags, mode);
  yield* enter(opened, undefined);
  return opened;
}

// Forget a descriptor that is about to be closed: its number may be given out again at once.
function release(fd) {
  const entry = table.get(fd);
  table.delete(fd);
  return entry;
}

// Tell the Runtime that a released entry is closed. Throws what the commit failed with.
function* commit(entry) {
  if (entry.h === undefined) return;
  if (!entry.writes) { yield post(['close', entry.h]); return; }
  try {
    yield ['close', entry.h];
  } catch (fail) {
    throw named(fail, 'close');
  }
}

function* close(fd) {
  const entry = release(fd);
  original.close(fd);
  yield* commit(entry);
}

function* sync(entry) {
  if (entry.h !== undefined && entry.writes) yield ['sync', entry.h];
}

// The attributes of a lent file with the size and time of its content, which a program of this host
// may be writing by now. `live`: as Node's binding has them, in BigInts.
function nowOf({ shown }, live) {
  const [size, mtime] = [live[8], live[12] * 1000000000n + live[13]];
  const attr = [...shown];
  attr[6] = size;
  attr[10] = (size + 511n) / 512n;
  if (BigInt(attr[8]) !== mtime && BigInt(attr[9]) < mtime) attr[9] = mtime;
  attr[8] = mtime;
  return attr;
}

function* fstat(entry) {
  if (entry.shown !== undefined) return nowOf(entry, yield native('fstat', entry.fd, true));
  if (entry.h === undefined) return yield* names.attr(entry.path);
  return yield ['fstat', entry.h];
}

function* ftruncate(entry, size) {
  if (entry.kind === 'dir') throw new Fail(ERRNO.EINVAL);
  yield ['ftruncate', entry.h, size ?? 0];
}

const given = (position) =>
  typeof position === 'bigint' || (typeof position === 'number' && position >= 0);

// Read into `view` of a remote file, from `position` or (if that is -1 or null) from where the
// descriptor stands. The number of bytes; less than asked for only at the end of the file.
function* read(entry, view, position) {
  if (entry.kind === 'dir') throw new Fail(ERRNO.EISDIR);
  const own = !given(position);
  const start = own ? entry.position : Number(position);
  let done = 0;
  while (done < view.length) {
    const wanted = Math.min(view.length - done, limits.TRANSFER_BYTES_MAX);
    const data = yield ['pread', entry.h, start + done, wanted];
    view.set(data, done);
    done += data.length;
    if (data.length === 0) break;
  }
  if (own) entry.position = start + done;
  return done;
}

// A descriptor was read to its end: fails if that is a stream's, and broke off there.
function* ended(entry) {
  if (entry !== undefined && entry.stream) yield ['ended', entry.h];
}

// A native function that reads a stream.
function* readStream(entry, name, args) {
  const count = yield native(name, ...args);
  if (count === 0) yield* ended(entry);
  return count;
}

function* write(entry, data, position) {
  if (entry.kind === 'dir' || !entry.writes) throw new Fail(ERRNO.EBADF);
  const own = !given(position);
  let offset = entry.append ? -1 : own ? entry.position : Number(position);
  let done = 0;
  do {
    const piece = data.subarray(done, done + limits.TRANSFER_BYTES_MAX);
    const [count, end] = yield ['pwrite', entry.h, offset, piece];
    done += count;
    if (!entry.append) offset = end;
    if (own) entry.position = end;
    if (count === 0) break;
  } while (done < data.length);
  return done;
}

// Everything of an open descriptor from where it stands: a Buffer.
function* readAll(fd) {
  const chunks = [];
  const entry = table.get(fd);
  for (;;) {
    const chunk = Buffer.allocUnsafeSlow(chunks.length ? 512 * 1024 : 64 * 1024);
    const count = entry && entry.kind !== 'fd' ? yield* read(entry, chunk, -1) :
      yield native('read', fd, chunk, 0, chunk.length, -1);
    if (count === 0) {
      yield* ended(entry);
      return Buffer.concat(chunks);
    }
    chunks.push(chunk.subarray(0, count));
  }
}

function* writeAll(fd, data) {
  const entry = table.get(fd);
  for (let done = 0; done < data.length;) {
    done += entry && entry.kind !== 'fd' ? yield* write(entry, data.subarray(done), -1) :
      yield native('writeBuffer', fd, data, done, data.length - done, null);
  }
}

// Run `body` on the descriptor that `opened` makes, and close it; an error of `body`, which does
// `syscall`, goes before one of the close.
function* withOpen(opened, syscall, body) {
  const fd = yield* opened;
  const shut = function* () {
    if (table.has(fd)) yield* close(fd); else original.close(fd);
  };
  let value;
  try {
    value = yield* body(fd);
  } catch (thrown) {
    try { yield* shut(); } catch { /* the first error tells more */ }
    throw named(thrown, syscall);
  }
  yield* shut();
  return value;
}

// Operations that move a remote descriptor's position go one after the other.
function inTurn(entry, start, done) {
  const run = () => start((fail, value) => {
    const next = entry.busy.shift();
    if (next) next(); else entry.busy = null;
    done(fail, value);
  });
  if (entry.busy) entry.busy.push(run);
  else { entry.busy = []; run(); }
}

module.exports = {
  O, close, commit, ended, fstat, ftruncate, inTurn, open, openNative, read, readAll, readStream,
  release, sync, table, withOpen, write, writeAll, writes,
};
