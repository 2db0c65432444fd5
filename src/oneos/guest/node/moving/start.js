'use strict';
// What `ONEOS_MOVING` asks for: `FD` that the program may be moved by the word of that descriptor,
// `FD:IMAGE` that it begins as the image that is read from the second descriptor to its end.
//
// Restored, the program stands still: it says `r` on the first descriptor and goes on at a byte
// `g`; at anything else it ends here and has run nothing. A refusal is answered as to a capture.

const { rememberGlobals } = require('./moving/globals');

function readAll(fd) {
  const fs = require('fs');
  const pieces = [];
  for (;;) {
    const piece = Buffer.allocUnsafeSlow(1 << 20);
    const count = fs.readSync(fd, piece, 0, piece.length, null);
    if (count === 0) break;
    pieces.push(piece.subarray(0, count));
  }
  fs.closeSync(fd);
  return Buffer.concat(pieces);
}

function begin(fd, image) {
  const { answer, readByte, refusalOf } = require('./moving/trigger');
  try {
    require('./moving/restore').restore(readAll(image));
  } catch (error) {
    answer(fd, 'n', refusalOf(error));
    process.reallyExit(1);
  }
  answer(fd, 'r', Buffer.alloc(0));
  if (readByte(fd) !== 'g') process.reallyExit(0);
}

function install(spec) {
  rememberGlobals();
  const [fd, image] = spec.split(':').map(Number);
  require('./moving/trigger').install(fd);
  if (image !== undefined) require('./moving/instead').runInstead(() => begin(fd, image));
}

module.exports = { install };
