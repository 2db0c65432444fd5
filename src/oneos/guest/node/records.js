'use strict';
// Record streams: `process.stdin.json` and its kind, and `segment`; see docs/records.md.
//
// `json` is one JSON value a line, `segment` bytes behind a length of four bytes, the lowest first.
// The readers are Readables over the standard stream, so pausing and back-pressure are Node's own.
// The writers write to the descriptor and not through the standard stream, which would join small
// records and part long ones; recordlock.js keeps the records of several writers apart.

const { isUtf8 } = require('buffer');
const { fstatSync, writeSync } = require('fs');
const { Readable, Writable } = require('stream');
const limits = require('./limits');
const { RecordLock, pause } = require('./recordlock');

const NEWLINE = 0x0a;
const HEAD_BYTES = 4;
const FD = { stdin: 0, stdout: 1, stderr: 2 };

class RecordError extends Error {
  constructor(message, facts) {
    super(message);
    this.code = 'ERR_ONEOS_RECORD';
    Object.assign(this, facts);
  }
}
Object.defineProperty(RecordError.prototype, 'name', { value: 'RecordError' });

// --- reading --------------------------------------------------------------------------------
// Bytes that came and are not taken yet, joined only where a record spans pieces.
class Pieces {
  list = [];
  length = 0;

  add(piece) {
    this.list.push(piece);
    this.length += piece.length;
  }

  take(count) {
    if (this.list[0]?.length < count) this.list = [Buffer.concat(this.list, this.length)];
    const [first] = this.list;
    if (first.length === count) this.list.shift(); else this.list[0] = first.subarray(count);
    this.length -= count;
    return first.subarray(0, count);
  }
}

class RecordReader extends Readable {
  #source;
  #listeners;
  pieces = new Pieces();

  constructor(source) {
    super({ objectMode: true });
    this.#source = source;
  }

  _read() {
    if (this.#listeners) { this.#source.resume(); return; }
    this.#listeners = {
      data: (chunk) => this.#guard(() => {
        // A program may have given standard input an encoding.
        const bytes = typeof chunk === 'string' ?
          Buffer.from(chunk, this.#source.readableEncoding ?? 'utf8') : chunk;
        if (!this.took(bytes)) this.#source.pause();
      }),
      end: () => this.#guard(() => { this.ended(); this.push(null); }),
      error: (error) => this.destroy(error),
      close: () => { if (!this.#source.readableEnded) this.destroy(this.#source.errored); },
    };
    for (const [event, listener] of Object.entries(this.#listeners)) {
      this.#source.on(event, listener);
    }
    if (this.#source.readableEnded) this.#listeners.end();
  }

  _destroy(error, done) {
    for (const [event, listener] of Object.entries(this.#listeners ?? {})) {
      this.#source.removeListener(event, listener);
    }
    // So that nothing keeps the program alive for input that nobody wants.
    this.#source.pause();
    done(error);
  }

  #guard(action) {
    if (this.destroyed) return;
    try { action(); } catch (error) { this.destroy(error); }
  }
}

class JsonReader extends RecordReader {
  #line = 0;

  took(chunk) {
    let more = true;
    let start = 0;
    for (let at; (at = chunk.indexOf(NEWLINE, start)) !== -1 && !this.destroyed; start = at + 1) {
      this.pieces.add(chunk.subarray(start, at));
      more = this.#give(this.pieces.take(this.pieces.length));
    }
    if (start < chunk.length) this.pieces.add(chunk.subarray(start));
    if (this.pieces.length > limits.RECORD_BYTES_MAX) this.#fail(tooLong(this.pieces.length));
    return more;
  }

  // The last line may lack its end, as it may in any text.
  ended() {
    if (this.pieces.length) this.#give(this.pieces.take(this.pieces.length));
  }

  #give(bytes) {
    this.#line++;
    if (bytes.length > limits.RECORD_BYTES_MAX) this.#fail(tooLong(bytes.length));
    if (!isUtf8(bytes)) this.#fail('not UTF-8');
    const text = bytes.utf8Slice();
    if (text.trim() === '') return true;
    let value;
    try { value = JSON.parse(text); } catch (error) { this.#fail(`not JSON: ${error.message}`); }
    // `null` would end the stream: inside it goes by `undefined`, which no JSON text stands for.
    return this.push(value === null ? undefined : value);
  }

  #fail(what) {
    throw new RecordError(`standard input: line ${this.#line || 1}: ${what}`,
                          { line: this.#line || 1 });
  }

  emit(event, value) {
    return event === 'data' ? super.emit('data', value ?? null) :
      super.emit.apply(this, arguments);
  }

  async* [Symbol.asyncIterator]() {
    for await (const value of this.iterator()) yield value ?? null;
  }
}

class SegmentReader extends RecordReader {
  #record = 1;
  #wanted = -1;  // Bytes of the record whose length has come; -1 before that.

  took(chunk) {
    this.pieces.add(chunk);
    let more = true;
    for (;;) {
      if (this.#wanted < 0) {
        if (this.pieces.length < HEAD_BYTES) return more;
        this.#wanted = this.pieces.take(HEAD_BYTES).readUInt32LE();
        if (this.#wanted > limits.RECORD_BYTES_MAX) this.#fail(tooLong(this.#wanted));
      }
      if (this.pieces.length < this.#wanted) return more;
      more = this.push(this.#wanted ? this.pieces.take(this.#wanted) : Buffer.alloc(0));
      this.#wanted = -1;
      this.#record++;
    }
  }

  ended() {
    if (this.#wanted >= 0 || this.pieces.length) this.#fail('cut off by the end of the input');
  }

  #fail(what) {
    throw new RecordError(`standard input: record ${this.#record}: ${what}`,
                          { record: this.#record });
  }
}

// --- writing --------------------------------------------------------------------------------
class RecordWriter extends Writable {
  #stream;
  #fd;
  #lock;

  constructor(stream, fd) {
    super();
    this.#stream = stream;
    this.#fd = fd;
    this.#lock = new RecordLock(fstatSync(fd));
  }

  // `value`: what the format takes; the rest as Writable's. Throws at once what is no record.
  write(value, ...rest) {
    return super.write(this.encode(value), rest.at(-1));
  }

  end(value, ...rest) {
    if (value !== undefined && typeof value !== 'function') this.write(value);
    const done = typeof value === 'function' ? value : rest.at(-1);
    return super.end(typeof done === 'function' ? done : undefined);
  }

  _write(record, _encoding, done) {
    // What the program wrote to the stream itself comes first.
    if (this.#stream.writableLength && !this.#stream.destroyed) {
      this.#stream.write('', () => this.#writeNow(record, done));
    } else {
      this.#writeNow(record, done);
    }
  }

  #writeNow(record, done) {
    let failure = null;
    this.#lock.take();
    try {
      for (let at = 0; at < record.length;) at += this.#piece(record, at);
    } catch (error) {
      failure = error;
    } finally {
      this.#lock.drop();
    }
    done(failure);
  }

  #piece(record, at) {
    try {
      return writeSync(this.#fd, record, at);
    } catch (error) {
      // Somebody made the pipe non-blocking, and it is full.
      if (error.code !== 'EAGAIN') throw error;
      pause();
      return 0;
    }
  }
}

class JsonWriter extends RecordWriter {
  encode(value) {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`no JSON stands for ${typeof value}`);
    const bytes = Buffer.from(`${text}\n`);
    if (bytes.length - 1 > limits.RECORD_BYTES_MAX) throw new RangeError(tooLong(bytes.length - 1));
    return bytes;
  }
}

class SegmentWriter extends RecordWriter {
  encode(value) {
    const bytes = typeof value === 'string' ? Buffer.from(value) :
      ArrayBuffer.isView(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) :
        undefined;
    if (!bytes) throw new TypeError('a segment is a Buffer, another view of bytes, or a string');
    if (bytes.length > limits.RECORD_BYTES_MAX) throw new RangeError(tooLong(bytes.length));
    const record = Buffer.allocUnsafe(HEAD_BYTES + bytes.length);
    record.writeUInt32LE(bytes.length);
    bytes.copy(record, HEAD_BYTES);
    return record;
  }
}

const tooLong = (bytes) =>
  `a record of ${bytes} bytes is too long, ${limits.RECORD_BYTES_MAX} is the most`;

// `kind`: 'json' or 'segment'. `name`: of the standard stream `stream`.
function make(kind, stream, name) {
  if (name === 'stdin') return kind === 'json' ? new JsonReader(stream) : new SegmentReader(stream);
  const Writer = kind === 'json' ? JsonWriter : SegmentWriter;
  return new Writer(stream, FD[name]);
}

module.exports = { make };
