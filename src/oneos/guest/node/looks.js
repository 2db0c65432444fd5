'use strict';
// Looking at names, and keeping what was seen as long as it holds: as guest/python/looks.py does.
//
// An answer may be kept until the host's number changes, which the Runtime raises before any change
// of the tree is answered, and for KEPT_MS at most. The number stands in a page of memory that has
// a name beside the Runtime's socket. It is read before a request is sent, so an answer that was
// under way when it changed is used once and not kept.

const { Fail, ERRNO } = require('./errors');
const limits = require('./limits');
const { isForeseen, original } = require('./steps');

const NUMBER_BYTES = 8;
const { O_RDONLY } = require('./internals').internalBinding('constants').fs;

// `${follow}:${path}` -> {number, ticks, date, attr}; attr is null where there is nothing.
const kept = new Map();
const page = Buffer.allocUnsafeSlow(NUMBER_BYTES);
let fd = -1;

// Be a program of the Runtime that listens at `socket`. Without its number nothing is kept.
function assume(socket) {
  try {
    fd = original.open(`${socket.slice(0, socket.lastIndexOf('/'))}/kept`, O_RDONLY, 0);
  } catch {
    // A Runtime that shares no number.
  }
}

// 0n: nothing may be kept.
function number() {
  if (fd < 0) return 0n;
  try {
    const count = original.read(fd, page, 0, NUMBER_BYTES, 0);
    return count === NUMBER_BYTES ? page.readBigUInt64LE(0) : 0n;
  } catch {
    return 0n;
  }
}

// The one clock stands still while the machine sleeps, and the other may be set.
const young = ({ ticks, date }) => process.uptime() * 1e3 - ticks < limits.KEPT_MS &&
  Math.abs(Date.now() - date) < limits.KEPT_MS;

// What `path` (bytes) stands for, as the protocol has it. Throws Fail.
function* look(path, follow) {
  // Asked before anybody read the number: an answer to use, and not to keep.
  if (isForeseen(path, follow)) return yield ['stat', path, follow];
  const key = `${follow}:${path.latin1Slice()}`;
  const before = number();
  let found = kept.get(key);
  if (found === undefined || found.number !== before || !young(found)) {
    found = { number: before, ticks: process.uptime() * 1e3, date: Date.now(), attr: null };
    const [attr, name, attributes] = yield ['look', path, follow];
    found.attr = attr;
    if (before !== 0n && name && (attributes || attr === null)) keep(key, found);
  }
  if (found.attr === null) throw new Fail(ERRNO.ENOENT);
  return found.attr;
}

function keep(key, found) {
  if (key.length > limits.KEPT_PATH_BYTES_MAX) return;
  // Most are old by then.
  if (kept.size >= limits.KEPT_PATHS_MAX) kept.clear();
  kept.set(key, found);
}

// --- files at rest ------------------------------------------------------------------------
// Path -> {number, ticks, date, path, attr}: files that may be opened again without asking.
const lent = new Map();

// What `lend` needs of the moment before a file is asked for.
const begin = () => ({ number: number(), ticks: process.uptime() * 1e3, date: Date.now() });

// Note that `where` may be opened again, by its `path` on this host, to read it.
function lend(where, begun, path, attr) {
  if (begun.number === 0n || where.length > limits.KEPT_PATH_BYTES_MAX) return;
  if (lent.size >= limits.LENT_MAX) lent.clear();
  lent.set(where.latin1Slice(), { ...begun, path, attr });
}

// What was lent of `where` (bytes). Before the file goes to another host the number changes, and
// only then the kernel is asked who has it open: so what was opened counts if `holds` afterwards.
function borrowed(where) {
  if (lent.size === 0) return undefined;
  const found = lent.get(where.latin1Slice());
  if (found === undefined || (holds(found) && young(found))) return found;
  lent.delete(where.latin1Slice());
  return undefined;
}

const holds = (found) => found.number === number();

module.exports = { assume, begin, borrowed, holds, lend, look };
