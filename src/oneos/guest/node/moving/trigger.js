'use strict';
// Waits for the word to move, on a descriptor that the program cannot see, and carries it out.
//
// One byte `c` asks for a capture, which is put off while a request of Node's is in flight. The
// answer is a frame: one byte, `i` for an image or `n` for a
// refusal, eight bytes of length, and the image or JSON {reason, path}. After an image the program
// stands still until a byte says `g`, it is gone and ends here, or `o`, it goes on.

const { constants } = require('os');
const { internalBinding, internalRequire } = require('./internals');
const { NotMovable } = require('./moving/refusal');
const { original } = require('./steps');

const HEAD_BYTES = 9;
const PAUSE_MS = 1;
const DEADLINE_MS = 5000;
const { EAGAIN } = constants.errno;

const sleeper = new Int32Array(new SharedArrayBuffer(4));
const pause = () => Atomics.wait(sleeper, 0, 0, PAUSE_MS);


function writeAll(fd, bytes) {
  for (let done = 0; done < bytes.length;) {
    const context = {};
    const count = original.writeBuffer(
      fd, bytes, done, bytes.length - done, null, undefined, context);
    if (context.errno !== undefined) {
      if (Math.abs(context.errno) !== EAGAIN) throw new NotMovable('the image cannot be written');
      pause();
    } else {
      done += count;
    }
  }
}

function readByte(fd) {
  const byte = Buffer.alloc(1);
  for (;;) {
    try {
      return original.read(fd, byte, 0, 1, -1) === 1 ? String.fromCharCode(byte[0]) : '';
    } catch (error) {
      if (Math.abs(error.errno) !== EAGAIN) return '';
    }
    pause();
  }
}

function answer(fd, kind, bytes) {
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(kind, 'latin1');
  head.writeBigUInt64LE(BigInt(bytes.length), 1);
  writeAll(fd, head);
  writeAll(fd, bytes);
}

function refusalOf(error) {
  const { reason = `a fault of OneOS: ${error.stack}`, path } = error;
  return Buffer.from(JSON.stringify({ reason, path }));
}

class Trigger {
  constructor(fd) {
    this.fd = fd;
    const { Pipe, constants } = internalBinding('pipe_wrap');
    const { streamBaseState, kReadBytesOrError } = internalBinding('stream_wrap');
    this.handle = new Pipe(constants.SOCKET);
    this.handle.open(fd);
    this.handle.unref();
    this.handle.onread = (buffer) => {
      const count = streamBaseState[kReadBytesOrError];
      if (count <= 0) { this.handle.close(); return; }
      for (const byte of new Uint8Array(buffer)) if (byte === 0x63) this.begin();
    };
    this.handle.readStart();
  }

  begin() {
    this.until = Date.now() + DEADLINE_MS;
    this.reads = undefined;
    this.attempt();
  }

  attempt() {
    const { isBusy } = require('./moving/handles');
    if (isBusy() && Date.now() < this.until) {
      this.reads ??= require('./moving/filestreams').holdReads();
      const { Timeout, insert } = internalRequire('internal/timers');
      insert(new Timeout(() => this.attempt(), 1, [], false, false), 1);
      return;
    }
    this.reads?.putBack();
    this.capture();
    this.reads?.goOn();
  }

  capture() {
    const { captureNow } = require('./moving/capture');
    const { isBusy } = require('./moving/handles');
    let captured;
    try {
      if (isBusy()) throw new NotMovable('a request of Node in flight', 'what Node has in hand');
      captured = captureNow({
        ours: [{ type: 'pipe', handle: this.handle }], held: this.reads?.held,
      });
    } catch (error) {
      answer(this.fd, 'n', refusalOf(error));
      return;
    }
    try {
      answer(this.fd, 'i', captured.image);
    } catch {
      return;  // Whoever asked is gone; the program goes on.
    }
    if (readByte(this.fd) === 'g') process.reallyExit(0);
  }
}

module.exports = { answer, install: (fd) => new Trigger(fd), readByte, refusalOf };
