'use strict';
// Operations on names: what `fs` does with a path and without opening it.
//
// One generator for each request of the protocol, in the form that the fs binding returns it to
// Node's JavaScript. Nothing here knows of native paths or of how results are delivered.

const { Fail, ERRNO } = require('./errors');
const { look } = require('./looks');
const { wire } = require('./paths');
const limits = require('./limits');

const { internalBinding } = require('./internals');
const rawProcess = internalBinding('process_methods');

const S_IFMT = 0o170000;
// libuv's UV_DIRENT_* by the type bits of a mode.
const DIRENT = {
  0o100000: 1, 0o040000: 2, 0o120000: 3, 0o010000: 4, 0o140000: 5, 0o020000: 6, 0o060000: 7,
};
const BLOCK_BYTES = 4096;
const SLASH = 0x2f;

function split(nanoseconds) {
  const time = BigInt(nanoseconds);
  let rest = time % 1000000000n;
  if (rest < 0n) rest += 1000000000n;
  return [(time - rest) / 1000000000n, rest];
}

// The protocol's attr as the array that Node makes Stats of.
function statArray(attr, big) {
  const [mode, ino, dev, nlink, uid, gid, size, atime, mtime, ctime, blocks, rdev] = attr;
  const fields = [dev, mode, nlink, uid, gid, rdev, BLOCK_BYTES, ino, size, blocks,
                  ...split(atime), ...split(mtime), ...split(ctime), ...split(ctime)];
  return big ? BigInt64Array.from(fields, BigInt) : Float64Array.from(fields, Number);
}

// A name in the encoding that the program asked for.
function encoded(bytes, encoding) {
  if (encoding === 'buffer') return Buffer.from(bytes);
  return Buffer.from(bytes).toString(encoding || 'utf8');
}

const isDirectory = (attr) => (attr[0] & S_IFMT) === 0o040000;

// The mode of something new: the Runtime gets it with the program's umask already applied.
const masked = (mode) => mode & ~rawProcess.umask(undefined) & 0o7777;

function* attr(path, follow = true) {
  return yield* look(wire(path), follow);
}

function* access(path, mode, identity) {
  const [bits, , , , uid, gid] = yield* attr(path);
  const { uid: me, gid: mine } = mode ? identity() : {};
  if (!mode) return;
  if (me === 0) {
    // Root may everything but run what nobody may run.
    if (!(mode & 1) || (bits & 0o111) || (bits & S_IFMT) === 0o040000) return;
    throw new Fail(ERRNO.EACCES);
  }
  const granted = me === uid ? bits >> 6 : mine === gid ? bits >> 3 : bits;
  if ((granted & mode & 7) !== (mode & 7)) throw new Fail(ERRNO.EACCES);
}

function* list(path) {
  const entries = yield ['list', wire(path)];
  // libuv sorts what scandir gives by bytes.
  return entries.sort((a, b) => Buffer.compare(a[0], b[0]));
}

function* readdir(path, encoding, withTypes) {
  const entries = yield* list(path);
  const names = entries.map(([name]) => encoded(name, encoding));
  return withTypes ? [names, entries.map(([, mode]) => DIRENT[mode & S_IFMT] ?? 0)] : names;
}

function* mkdir(path, mode) {
  yield ['mkdir', wire(path), masked(mode)];
}

// Whether a directory is at `place` that could not be made for `errno`. Throws Fail where none is.
function* isThere(place, errno, below) {
  const found = yield* attr(place.path);
  if (isDirectory(found)) return;
  throw new Fail(errno === ERRNO.EEXIST && below ? ERRNO.ENOTDIR : ERRNO.EEXIST);
}

const FINAL = new Set([ERRNO.EACCES, ERRNO.ENOSPC, ERRNO.ENOTDIR, ERRNO.EPERM]);

// As the program spelled it, the path of the topmost directory that had to be made. From the end
// upwards, as Node does it: mostly only the last is missing.
function* mkdirp(path, mode, locate) {
  const pending = [Buffer.from(path)];
  let first;
  while (pending.length) {
    const next = pending.at(-1);
    const place = locate(next);
    if (place.native) throw new Fail(ERRNO.EROFS);
    try {
      yield ['mkdir', wire(place.path), masked(mode)];
      first ??= next;
    } catch (fail) {
      if (FINAL.has(fail.errno)) throw fail;
      if (fail.errno === ERRNO.ENOENT) {
        const slash = next.lastIndexOf(SLASH);
        if (slash <= 0) throw fail;
        pending.push(next.subarray(0, slash));
        continue;
      }
      yield* isThere(place, fail.errno, pending.length > 1);
    }
    pending.pop();
  }
  return first && first.toString();
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

function* mkdtemp(prefix, encoding, locate) {
  for (let attempt = 0; attempt < limits.MKDTEMP_ATTEMPTS_MAX; attempt++) {
    let suffix = '';
    while (suffix.length < 6) suffix += ALPHABET[Math.floor(Math.random() * ALPHABET.length)];
    const path = Buffer.concat([Buffer.from(prefix), Buffer.from(suffix)]);
    const place = locate(path);
    if (place.native) throw new Fail(ERRNO.EROFS);
    try {
      yield ['mkdir', wire(place.path), masked(0o700)];
      return encoded(path, encoding);
    } catch (fail) {
      if (fail.errno !== ERRNO.EEXIST) throw fail;
    }
  }
  throw new Fail(ERRNO.EEXIST);
}

function* rename(old, fresh) { yield ['rename', wire(old), wire(fresh)]; }
function* rmdir(path) { yield ['rmdir', wire(path)]; }
function* unlink(path) { yield ['unlink', wire(path)]; }
function* chmod(path, mode) { yield ['chmod', wire(path), mode & 0o7777]; }
function* symlink(target, path) { yield ['symlink', wire(target), wire(path)]; }
// As link(2): of a symbolic link itself, where the old name is one.
function* link(old, fresh) { yield ['link', wire(old), wire(fresh), false]; }

const id = (number) => (number === 0xffffffff ? -1 : number);
function* chown(path, uid, gid, follow = true) {
  yield ['chown', wire(path), id(uid), id(gid), follow];
}

// Seconds, as a double, in nanoseconds: truncated as libuv does it, to microseconds before 1.49.
const [, uvMinor] = process.versions.uv.split('.').map(Number);
function nanoseconds(seconds) {
  const whole = Math.floor(seconds);
  const rest = uvMinor < 49 ? Math.trunc((seconds - whole) * 1e6) * 1e3 : (seconds - whole) * 1e9;
  return BigInt(whole) * 1000000000n + BigInt(Math.trunc(rest));
}

function* utime(path, atime, mtime, follow = true) {
  yield ['utime', wire(path), nanoseconds(atime), nanoseconds(mtime), follow];
}

// Of an open file, whose name may be another by now; a directory has only its path.
function* setattr({ h, path }, change) {
  if (h !== undefined) {
    // An owner of -1 stays who it is.
    const given = Object.entries(change).filter(([, value]) => value !== -1);
    yield ['fsetattr', h, Object.fromEntries(given)];
  } else if (change.mode !== undefined) {
    yield* chmod(path, change.mode);
  } else if (change.uid !== undefined) {
    yield* chown(path, change.uid, change.gid);
  } else {
    yield ['utime', wire(path), change.atime_ns, change.mtime_ns, true];
  }
}

function* realpath(path, encoding) {
  return encoded(yield ['realpath', wire(path)], encoding);
}

function* readlink(path, encoding) {
  return encoded(yield ['readlink', wire(path)], encoding);
}

module.exports = {
  access, attr, chmod, chown, encoded, id, isDirectory, link, list, masked, mkdir, mkdirp, mkdtemp,
  nanoseconds, readdir, readlink, realpath, rename, rmdir, setattr, statArray, symlink, unlink,
  utime, DIRENT, S_IFMT,
};
