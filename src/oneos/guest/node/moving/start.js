'use strict';
// What `ONEOS_MOVING` asks for: `FD` that the program may be moved by the word of that descriptor,
// `FD:IMAGE` that it begins as the image that is read from the second descriptor to its end.

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

function install(spec) {
  rememberGlobals();
  const [fd, image] = spec.split(':').map(Number);
  require('./moving/trigger').install(fd);
  if (image === undefined) return;
  const { runInstead } = require('./moving/instead');
  runInstead(() => require('./moving/restore').restore(readAll(image)));
}

module.exports = { install };
