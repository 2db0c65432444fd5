'use strict';
// The lock that keeps the records of several writers of one pipe apart, on one host.
//
// A write of more than PIPE_BUF bytes may stop in its middle when the pipe is full, and another
// process' write, however short, would then land inside the record. So each record is written
// under a lock that all writers of the pipe share: an abstract unix address named by the pipe,
// which the kernel gives to one process at a time and takes back when that ends, however it ends.
// guest/python/recordlock.py speaks the same names. Regular files need none: their writes are whole.

const { EADDRINUSE } = require('os').constants.errno;
const { internalBinding } = require('./internals');
const limits = require('./limits');
const offer = require('./offer');

const { Pipe, constants } = internalBinding('pipe_wrap');
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;

const still = new Int32Array(new SharedArrayBuffer(4));
const pause = () => { Atomics.wait(still, 0, 0, limits.RECORD_PAUSE_MS); };

// All of an address, for some versions of libuv fill it up with NUL bytes and others do not.
const NAME_BYTES = 108;

function bind(part) {
  const name = `\0oneos.record.${part}`.padEnd(NAME_BYTES, '.');
  for (;;) {
    const pipe = new Pipe(constants.SOCKET);
    const error = offer.bind.call(pipe, name);
    if (!error) return pipe;
    pipe.close();
    if (error !== -EADDRINUSE) {
      throw new Error(`cannot lock the pipe for a record: error ${error}`);
    }
    pause();
  }
}

class RecordLock {
  #name;
  #held;
  #queued = -Infinity;

  // `stats`: of the descriptor that is written to.
  constructor(stats) {
    if ((stats.mode & S_IFMT) !== S_IFREG) this.#name = `${stats.dev}.${stats.ino}`;
  }

  take() {
    if (!this.#name) return;
    // A writer that never rests would win each race against one that looks now and then: so from
    // time to time it queues at a second address, which is held by whoever waits longest.
    const now = performance.now();
    const queue = now - this.#queued >= limits.RECORD_TURN_MS;
    const turn = queue ? bind(`${this.#name}.next`) : undefined;
    try {
      this.#held = bind(this.#name);
    } finally {
      turn?.close();
    }
    if (queue) this.#queued = performance.now();
  }

  drop() {
    this.#held?.close();
    this.#held = undefined;
  }
}

module.exports = { RecordLock, pause };
