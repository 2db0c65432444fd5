'use strict';
// `fs.watch` and `fs.watchFile` of the tree.
//
// No host tells a program what changes in the tree, so it is looked at again and again: what has
// become different since the last look is told as inotify would tell it. A look that takes long is
// followed by a longer rest, so watching a large directory costs a bounded share of the time.

const { posix } = require('path');
const { clearTimeout, setImmediate, setTimeout } = require('timers');
const { ERRNO, Fail } = require('./errors');
const { internalBinding, internalRequire } = require('./internals');
const limits = require('./limits');
const names = require('./names');
const { locate, wire } = require('./paths');
const { runAsync, runSync } = require('./steps');

const { owner_symbol: ownerSymbol } = internalRequire('internal/async_hooks').symbols;

// Looks every so often, until it is closed. `look()`: an operation; `seen(fail, value)`: what it
// came to. The event loop waits for it, as long as it is referenced.
class Poll {
  #timer;
  #referenced = true;

  constructor(pauseMs, look, seen) {
    this.pauseMs = pauseMs;
    this.look = look;
    this.seen = seen;
    this.closed = false;
  }

  start(pauseMs = this.pauseMs) {
    this.#timer = setTimeout(() => this.#turn(), pauseMs);
    if (!this.#referenced) this.#timer.unref();
    return this;
  }

  #turn() {
    const began = performance.now();
    runAsync(this.look(), (fail, value) => setImmediate(() => {
      if (this.closed) return;
      const tookMs = performance.now() - began;
      this.start(Math.max(this.pauseMs, tookMs * limits.WATCH_REST));
      this.seen(fail, value);
    }));
  }

  close() {
    this.closed = true;
    clearTimeout(this.#timer);
  }

  ref() { this.#referenced = true; this.#timer.ref(); }
  unref() { this.#referenced = false; this.#timer.unref(); }
  hasRef() { return !this.closed && this.#referenced; }
}

// --- fs.watch -----------------------------------------------------------------------------
// What a change of is told, as one text: of a directory not what lies in it.
function marks(attr) {
  const [mode, , , , uid, gid, size, , mtime, ctime] = attr;
  return String(names.isDirectory(attr) ? [mode, uid, gid] : [mode, uid, gid, size, mtime, ctime]);
}

function* marksOf(path) {
  try {
    return marks(yield* names.attr(path, false));
  } catch (fail) {
    if (fail instanceof Fail) return undefined;  // Gone since it was listed.
    throw fail;
  }
}

// {ino, marks, entries}: the state of a file or, with entries, of a directory. An entry is
// [ino, marks] by its name, in which Latin-1 keeps every byte apart.
function* snapshot(path) {
  const attr = yield* names.attr(path);
  const [, ino] = attr;
  if (!names.isDirectory(attr)) return { ino, marks: marks(attr) };
  const entries = new Map();
  for (const [name, , inode] of yield* names.list(path)) {
    const key = Buffer.from(name).latin1Slice();
    const below = Buffer.concat([wire(path), Buffer.from('/'), name]);
    const state = entries.size < limits.WATCH_ENTRIES_MAX ? yield* marksOf(below) : undefined;
    entries.set(key, [inode, state]);
  }
  return { ino, marks: marks(attr), entries };
}

// [event, name] of all that differs; without a name it is of the target itself.
function* changes(before, now) {
  if (now === undefined) { yield ['rename']; return; }
  if (before.marks !== now.marks) yield ['change'];
  if (!before.entries || !now.entries) return;
  const inodes = new Set([...before.entries.values()].map(([ino]) => ino));
  for (const name of before.entries.keys()) if (!now.entries.has(name)) yield ['rename', name];
  for (const [name, [ino, state]] of now.entries) {
    const [oldIno, oldState] = before.entries.get(name) ?? [];
    if (oldIno !== ino) yield ['rename', name];
    // What is new and not only named anew was written too.
    if (oldIno === ino ? oldState !== state : !inodes.has(ino)) yield ['change', name];
  }
}

const GONE = new Set([ERRNO.ENOENT, ERRNO.ENOTDIR]);

// As FSEvent.prototype.start, of the handle `handle`: the poll, or a negative errno.
function watch(handle, path, encoding) {
  const place = locate(path);
  let state;
  try {
    state = runSync(snapshot(place.path));
  } catch (fail) {
    if (!(fail instanceof Fail)) throw fail;
    return -fail.errno;
  }
  const own = posix.basename(String(path));
  const poll = new Poll(limits.WATCH_PAUSE_MS, () => snapshot(place.path), (fail, now) => {
    // It is gone, and was told so; or nobody can tell just now.
    if (state === undefined || (fail && !GONE.has(fail.errno))) return;
    const events = [...changes(state, now)];
    state = now;
    for (const [event, name] of events) {
      if (poll.closed) return;
      const bytes = name === undefined ? Buffer.from(own) : Buffer.from(name, 'latin1');
      handle.onchange(0, event, names.encoded(bytes, encoding));
    }
  });
  return poll.start();
}

// --- fs.watchFile -------------------------------------------------------------------------
const FIELDS = 18;  // Of one Stats, as the binding has them.
const ATIMES = new Set([10, 11]);  // Reading a file is no change.

// Whether the program asked for BigInts: Node's own watcher knows it, under a symbol.
function wantsBigInt(handle) {
  const owner = handle[ownerSymbol];
  const symbol = Object.getOwnPropertySymbols(owner).find((x) => x.description === 'kUseBigint');
  return Boolean(symbol && owner[symbol]);
}

// As StatWatcher.prototype.start: a poll that tells of each change, and once of what is missing.
function watchFile(handle, path, intervalMs) {
  const place = locate(path);
  const big = wantsBigInt(handle);
  const nothing = () => (big ? new BigInt64Array(FIELDS) : new Float64Array(FIELDS));
  let last;
  let status = 0;
  const tell = (now, before) => {
    const both = new now.constructor(2 * FIELDS);
    both.set(now);
    both.set(before, FIELDS);
    handle.onchange(status, both);
  };
  const differs = (now) => now.some((value, i) => value !== last[i] && !ATIMES.has(i));
  const look = function* () { return names.statArray(yield* names.attr(place.path), big); };
  const poll = new Poll(intervalMs, look, (fail, now) => {
    if (fail) {
      if (!(fail instanceof Fail) || status === -fail.errno) return;
      status = -fail.errno;
      tell(nothing(), last ?? nothing());
      last ??= nothing();
    } else {
      const first = last === undefined;
      const changed = status < 0 || (!first && differs(now));
      const before = last;
      status = 0;
      last = now;
      if (changed) tell(now, before);
    }
  });
  return poll.start(0);
}

// What `handle` does is done by `poll` from now on.
function attach(handle, poll) {
  const close = handle.close;
  const still = (value) => ({ value, configurable: true, writable: true });
  Object.defineProperties(handle, {
    initialized: still(true),
    ref: still(() => poll.ref()),
    unref: still(() => poll.unref()),
    hasRef: still(() => poll.hasRef()),
    close: still((done) => {
      poll.close();
      Object.defineProperty(handle, 'initialized', still(false));
      return close.call(handle, done);
    }),
  });
  return 0;
}

// As FSEvent.prototype.start.
function startEvent(handle, path, persistent, encoding) {
  const poll = watch(handle, path, encoding);
  if (typeof poll === 'number') return poll;
  if (!persistent) poll.unref();
  return attach(handle, poll);
}

// As StatWatcher.prototype.start.
function startStat(handle, path, intervalMs) {
  const poll = watchFile(handle, path, intervalMs);
  if (!handle.hasRef()) poll.unref();
  return attach(handle, poll);
}

module.exports = { startEvent, startStat };
