'use strict';
// Carries out the word to move.
//
// A capture is put off while a request of Node's is in flight. Then the image is written to the
// memory for it. Answers are frames: one byte, eight bytes of length, and JSON. `b`, with nothing,
// says that the capture begins; `i` that there is an image, with the {files} that have to be opened
// again; `n` is a refusal, {reason, path}. After `i` the
// program stands still until a byte says `o`, it goes on here. At anything else, `g` or the end of
// whoever asked, it ends here: it may go on elsewhere.

const { fstatSync, ftruncateSync } = require('fs');
const { constants } = require('os');
const { internalRequire } = require('./internals');
const { NotMovable } = require('./moving/refusal');
const { original } = require('./steps');

const HEAD_BYTES = 9;
const PAUSE_MS = 1;
const DEADLINE_MS = 5000;
const { EAGAIN } = constants.errno;

const sleeper = new Int32Array(new SharedArrayBuffer(4));
const pause = () => Atomics.wait(sleeper, 0, 0, PAUSE_MS);

// `position`: null for where the descriptor is.
function writeAll(fd, bytes, position = null) {
  for (let done = 0; done < bytes.length;) {
    const context = {};
    const at = position === null ? null : position + done;
    const count = original.writeBuffer(
      fd, bytes, done, bytes.length - done, at, undefined, context);
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

// The memory holds the image only while somebody wants it.
const clear = (images) => { ftruncateSync(images, 0); };

function writeImage(images, bytes) {
  clear(images);
  writeAll(images, bytes, 0);
}

// The image in the memory, which is empty then.
function readImage(images) {
  const bytes = Buffer.allocUnsafeSlow(fstatSync(images).size);
  for (let done = 0; done < bytes.length;) {
    const count = original.read(images, bytes, done, bytes.length - done, done);
    if (count <= 0) throw new NotMovable('the image is not whole');
    done += count;
  }
  clear(images);
  return bytes;
}

class Trigger {
  constructor(handle, control, images) {
    this.handle = handle;
    this.control = control;
    this.images = images;
  }

  begin() {
    this.until = Date.now() + DEADLINE_MS;
    this.release = undefined;
    this.attempt();
    if (this.timer === undefined) this.release?.();
  }

  attempt() {
    const { captureNow } = require('./moving/capture');
    const { isBusy } = require('./moving/handles');
    this.timer = undefined;
    if (isBusy() && Date.now() < this.until) {
      this.release ??= require('./moving/streams').holdInput();
      const { Timeout, insert } = internalRequire('internal/timers');
      this.timer = new Timeout(() => {
        this.attempt();
        if (this.timer === undefined) this.release?.();
      }, 1, [], false, false);
      insert(this.timer, 1);
      return;
    }
    let captured;
    try {
      if (isBusy()) throw new NotMovable('a request of Node in flight', 'what Node has in hand');
      answer(this.control, 'b', Buffer.alloc(0));
      captured = captureNow({
        ours: [{ type: 'pipe', handle: this.handle }], fds: [this.control, this.images],
      });
      writeImage(this.images, captured.image);
    } catch (error) {
      answer(this.control, 'n', refusalOf(error));
      return;
    }
    const files = captured.files.filter(({ fd }) => fd > 2);
    answer(this.control, 'i', Buffer.from(JSON.stringify({ files })));
    if (readByte(this.control) !== 'o') process.reallyExit(0);
    clear(this.images);
  }
}

module.exports = { Trigger, answer, readByte, readImage, refusalOf };
