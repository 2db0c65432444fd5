'use strict';
// What whoever starts a program from its image hands it beside its files: /dev/null at every number
// below the last one that has no file, so that Node takes all for its own (`fuse/reopened.py`).

const { closeSync, readlinkSync } = require('fs');

const FIRST = 5;

// `files`: those of the image.
function closeFillers(files) {
  const numbers = new Set(files.map(({ fd }) => fd));
  const last = Math.max(...numbers);
  for (let fd = FIRST; fd < last; fd++) {
    if (!numbers.has(fd) && readlinkSync(`/proc/self/fd/${fd}`) .endsWith('/dev/null')) closeSync(fd);
  }
}

module.exports = { closeFillers };
