'use strict';
// The ways to the Runtime: blocking calls for the synchronous half of Node, and event-loop calls
// for the asynchronous half.
//
// Both speak docs/guest-protocol.md over unix sockets of their own, opened on first use; replies
// come in the order of the requests. Once the Runtime has gone, every call fails with EIO at once.
// The sockets are handles of libuv and not of `net`, which would cost its loading.

const { internalBinding } = require('./internals');
const { Fail, ERRNO } = require('./errors');
const limits = require('./limits');
const msgpack = require('./msgpack');

const { Pipe, PipeConnectWrap, constants } = internalBinding('pipe_wrap');
const { WriteWrap, streamBaseState, kReadBytesOrError, kArrayBufferOffset } =
  internalBinding('stream_wrap');

// The binding's own functions, taken before they are replaced.
const { existsSync, read, writeBuffer } = internalBinding('fs');
// Pipe.connect too is for the tree's names later.
const { connect } = Pipe.prototype;

// Most replies are below 200 bytes; more than this is allocated for the reply that needs it.
const INPUT_BYTES = 16 * 1024;

const gone = () => new Fail(ERRNO.EIO, { hint: 'the Runtime of this host has gone' });

function result(reply) {
  if (reply[0] === 0) return reply[1];
  throw new Fail(reply[0], { hint: reply[2] || reply[1] });
}

const keyOf = ([, path, follow]) => `${follow}:${path.latin1Slice()}`;

function dial(path, failed) {
  const pipe = new Pipe(constants.SOCKET);
  const request = new PipeConnectWrap();
  request.oncomplete = (status) => { if (status !== 0) failed(); };
  if (connect.call(pipe, request, path)) { pipe.close(); return undefined; }
  pipe.unref();
  return pipe;
}

// One blocking connection. `path`: the socket; `greeting`: what says hello.
class SyncChannel {
  constructor(path, greeting) {
    this.path = path;
    this.greeting = greeting;
    this.pipe = undefined;
    this.dead = false;
    this.unanswered = [];
    this.input = Buffer.allocUnsafeSlow(INPUT_BYTES);
    this.from = 0;
    this.to = 0;
    this.identity = undefined;
    this.foreseen = undefined;
  }

  // Send a request and wait for its result. Throws Fail.
  call(request) {
    const answer = this.foreseen && this.#foreseen(request);
    if (answer) return result(answer);
    this.#send(request);
    while (this.unanswered.length) this.#takeNext();
    return result(this.#receive());
  }

  // Ask now what will be asked soon: `stat` requests whose answers are kept until a file is opened.
  foresee(requests) {
    if (this.dead) return;
    const answers = this.foreseen = new Map();
    answers.expected = new Set(requests.map(keyOf));
    for (const key of answers.expected) this.unanswered.push((reply) => answers.set(key, reply));
    // In one write: the Runtime is woken once.
    const frames = requests.map((request) => Buffer.from(msgpack.frame(request)));
    if (this.#write(Buffer.concat(frames)) !== 0) this.#lose();
  }

  // Whether it is already known that there is nothing at `path`.
  isKnownMissing(path) {
    const answer = this.foreseen && this.#foreseen(['stat', path, true]);
    return answer !== undefined && answer[0] === ERRNO.ENOENT;
  }

  isForeseen(request) {
    return this.foreseen !== undefined && this.foreseen.expected.has(keyOf(request));
  }

  #foreseen(request) {
    if (request[0] === 'open') this.foreseen = undefined;
    if (request[0] !== 'stat' || !this.foreseen.expected.has(keyOf(request))) return undefined;
    while (this.unanswered.length && !this.foreseen.has(keyOf(request))) this.#takeNext();
    return this.foreseen.get(keyOf(request));
  }

  #takeNext() {
    const reply = this.#receive();
    this.unanswered.shift()?.(reply);
  }

  // Send a request whose reply nobody waits for; `handler` gets it when it comes.
  post(request, handler) {
    this.#send(request);
    this.unanswered.push(handler);
  }

  // {host, user, uid, gid}: who this process is in the network.
  whoami() {
    this.open();
    if (this.dead) throw gone();
    while (this.identity === undefined) this.#takeNext();
    return this.identity;
  }

  // Connect and say hello, if that has not happened; the answer is read with the first reply.
  open() {
    if (this.pipe || this.dead) return;
    const hello = msgpack.frame(['hello', this.greeting]);
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let attempt = 0; attempt < limits.CONNECT_ATTEMPTS_MAX; attempt++) {
      // libuv tells why it could not connect only later, and then the same for every reason.
      if (!existsSync(this.path)) break;
      if (attempt) Atomics.wait(pause, 0, 0, limits.CONNECT_PAUSE_MS);
      const pipe = dial(this.path, () => {});
      if (!pipe) break;
      pipe.setBlocking(true);
      this.pipe = pipe;
      const error = this.#write(hello);
      if (error === 0) {
        this.unanswered.push((reply) => { this.identity = result(reply); });
        return;
      }
      pipe.close();
      // Not connected: the Runtime's backlog is full. All else will not change by waiting.
      if (error !== ERRNO.ENOTCONN && error !== ERRNO.EAGAIN) break;
    }
    this.dead = true;
  }

  #send(request) {
    this.open();
    if (this.dead) throw gone();
    if (this.#write(msgpack.frame(request)) !== 0) this.#lose();
  }

  #write(bytes) {
    for (let sent = 0; sent < bytes.length;) {
      const context = {};
      const count = writeBuffer(
        this.pipe.fd, bytes, sent, bytes.length - sent, null, undefined, context);
      if (context.errno !== undefined) return -context.errno;
      sent += count;
    }
    return 0;
  }

  #receive() {
    if (this.dead) throw gone();
    this.#fill(4);
    const size = this.input.readUInt32LE(this.from);
    if (size > limits.FRAME_BYTES_MAX) this.#lose();
    this.#fill(4 + size);
    const start = this.from + 4;
    this.from = start + size;
    return msgpack.decode(this.input.subarray(start, this.from));
  }

  // Wait until `bytes` of input stand at `this.from`.
  #fill(bytes) {
    if (this.to - this.from >= bytes) return;
    if (this.from + bytes > this.input.length) {
      // Replies that were handed out are views of the old buffer: it is left to them.
      const larger = Buffer.allocUnsafeSlow(Math.max(bytes, INPUT_BYTES));
      this.input.copy(larger, 0, this.from, this.to);
      this.input = larger;
      this.to -= this.from;
      this.from = 0;
    }
    while (this.to - this.from < bytes) {
      let count = 0;
      try {
        count = read(this.pipe.fd, this.input, this.to, this.input.length - this.to, -1);
      } catch {
        // A broken connection is an ended one.
      }
      if (count === 0) this.#lose();
      this.to += count;
    }
  }

  #lose() {
    this.dead = true;
    this.pipe.close();
    throw gone();
  }
}

// One event-loop connection. It holds the loop open only while calls are unanswered.
class AsyncChannel {
  constructor(path, greeting) {
    this.waiting = [];
    this.input = undefined;
    this.dead = false;
    this.pipe = dial(path, () => this.#lose());
    if (!this.pipe) { this.dead = true; return; }
    this.pipe.onread = (data) => this.#onRead(data);
    this.pipe.readStart();
    this.call(['hello', greeting], (fail) => { if (fail) this.#lose(); });
  }

  // `done(fail, result)`, later.
  call(request, done) {
    if (this.dead) { setImmediate(done, gone()); return; }
    if (this.waiting.length === 0) this.pipe.ref();
    this.waiting.push(done);
    const write = new WriteWrap();
    // The encoder's buffer is used again at once; libuv may keep this one until it is written.
    write.buffer = Buffer.from(msgpack.frame(request));
    write.oncomplete = (status) => { if (status !== 0) this.#lose(); };
    if (this.pipe.writeBuffer(write, write.buffer) !== 0) this.#lose();
  }

  #onRead(data) {
    const count = streamBaseState[kReadBytesOrError];
    if (count <= 0) { if (count < 0) this.#lose(); return; }
    let chunk = Buffer.from(data, streamBaseState[kArrayBufferOffset], count);
    if (this.input) chunk = Buffer.concat([this.input, chunk]);
    const replies = [];
    while (chunk.length >= 4) {
      const size = chunk.readUInt32LE(0);
      if (size > limits.FRAME_BYTES_MAX) { this.#lose(); return; }
      if (chunk.length < 4 + size) break;
      replies.push(msgpack.decode(chunk.subarray(4, 4 + size)));
      chunk = chunk.subarray(4 + size);
    }
    this.input = chunk.length ? chunk : undefined;
    const answered = this.waiting.splice(0, replies.length);
    if (this.waiting.length === 0 && this.pipe) this.pipe.unref();
    for (let i = 0; i < answered.length; i++) {
      const [errno, value, hint] = replies[i];
      if (errno === 0) answered[i](null, value);
      else answered[i](new Fail(errno, { hint: hint || value }));
    }
  }

  #lose() {
    if (this.dead) return;
    this.dead = true;
    this.pipe.close();
    for (const done of this.waiting.splice(0)) done(gone());
  }
}

// The asynchronous connections: a call takes an idle one, or a new one, or the least busy.
class AsyncPool {
  constructor(path, greeting) {
    this.path = path;
    this.greeting = greeting;
    this.channels = [];
  }

  call(request, done) {
    let best;
    for (const channel of this.channels) {
      if (channel.dead) continue;
      if (!best || channel.waiting.length < best.waiting.length) best = channel;
    }
    if (!best || (best.waiting.length && this.channels.length < limits.ASYNC_CHANNELS_MAX)) {
      best = new AsyncChannel(this.path, this.greeting);
      this.channels.push(best);
    }
    this.channels = this.channels.filter((channel) => !channel.dead);
    best.call(request, done);
  }
}

module.exports = { SyncChannel, AsyncPool };
