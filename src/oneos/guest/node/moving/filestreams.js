'use strict';
// Streams of files, and descriptors that the program has by number.
//
// A stream that flows has its next read in flight at every turn; so reads are held back while a
// capture waits for a quiet turn, and begun again after it. At the target a file is opened by its
// path at the same number, unless whoever started the target has done so. Node cannot seek: so a
// stream goes on by giving positions, and other descriptors are read up to where they stood.

const { constants } = require('fs');
const { internalRequire } = require('./internals');
const { NotMovable } = require('./moving/refusal');
const { original } = require('./steps');

const PIECE_BYTES = 1 << 20;
const { O_ACCMODE = 3, O_APPEND, O_CREAT, O_EXCL, O_TRUNC, O_WRONLY } = constants;

const isLoaded = () => process.moduleLoadList.includes('NativeModule internal/fs/streams');

// Holds back reads of files that are not yet begun. {held: stream -> size, putBack(), goOn()}.
function holdReads() {
  const held = new Map();
  if (!isLoaded()) return { held, putBack: () => {}, goOn: () => {} };
  const { prototype } = internalRequire('internal/fs/streams').ReadStream;
  const own = prototype._read;
  prototype._read = function(size) { held.set(this, size); };
  return {
    held,
    putBack: () => { prototype._read = own; },
    goOn: () => { for (const [stream, size] of held) stream._read(size); },
  };
}

function isFileStream(object) {
  if (!isLoaded()) return false;
  const { ReadStream, WriteStream } = internalRequire('internal/fs/streams');
  return (object instanceof ReadStream || object instanceof WriteStream) &&
    typeof object.fd === 'number' && typeof object._events === 'object';
}

function isOpen({ fd, path }) {
  try {
    return original.readlink(`/proc/self/fd/${fd}`, 'utf8') === path;
  } catch {
    return false;
  }
}

function openOne({ fd, path, flags }) {
  const fillers = [];
  try {
    for (;;) {
      let number;
      try {
        number = original.open(path, flags & ~(O_CREAT | O_EXCL | O_TRUNC), 0);
      } catch {
        throw new NotMovable('a file that cannot be opened here', path);
      }
      if (number === fd) return;
      fillers.push(number);
      if (number > fd) throw new NotMovable('a descriptor whose number is taken here', path);
    }
  } finally {
    for (const number of fillers) original.close(number);
  }
}

function readUpTo({ fd, path, flags, offset }) {
  if (!offset || (flags & O_APPEND)) return;
  if ((flags & O_ACCMODE) === O_WRONLY) {
    throw new NotMovable('a file in mid-write that is no stream', path);
  }
  const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, offset));
  for (let left = offset; left > 0;) {
    const count = original.read(fd, piece, 0, Math.min(left, piece.length), -1);
    if (count === 0) throw new NotMovable('a file that is shorter here', path);
    left -= count;
  }
}

// `files`: as openFiles gives them; `streamed`: the descriptors that streams have.
function reopen(files, streamed) {
  for (const file of [...files].sort((a, b) => a.fd - b.fd)) {
    if (file.fd <= 2 || isOpen(file)) continue;
    openOne(file);
    if (!streamed.has(file.fd)) readUpTo(file);
  }
}

module.exports = { holdReads, isFileStream, reopen };
