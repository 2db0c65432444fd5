'use strict';
// The form of an image: a magic number, the length of a JSON text, the text, and the bytes of
// buffers as they are, each at the offset that `parts` of the text says.

const MAGIC = Buffer.from('oneosjs1');
const HEAD_BYTES = MAGIC.length + 8;

class Parts {
  constructor() {
    this.buffers = [];
    this.sizes = [];
  }

  // Notes an ArrayBuffer's content; nothing is copied before `encode`.
  add(buffer) {
    this.buffers.push(new Uint8Array(buffer));
    return this.sizes.push(buffer.byteLength) - 1;
  }
}

function encode(state, parts) {
  const text = Buffer.from(JSON.stringify({ ...state, parts: parts.sizes }));
  const head = Buffer.alloc(HEAD_BYTES);
  MAGIC.copy(head);
  head.writeDoubleLE(text.length, MAGIC.length);
  return Buffer.concat([head, text, ...parts.buffers]);
}

// {state, bytesOf(part)}; throws a RangeError if it is no image or not whole.
function decode(image) {
  if (image.length < HEAD_BYTES || !image.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new RangeError('this is no image of a JavaScript program');
  }
  const end = HEAD_BYTES + image.readDoubleLE(MAGIC.length);
  if (!(end <= image.length)) throw new RangeError('the image is not whole');
  const state = JSON.parse(image.toString('utf8', HEAD_BYTES, end));
  const starts = [end];
  for (const size of state.parts) starts.push(starts.at(-1) + size);
  if (starts.at(-1) !== image.length) throw new RangeError('the image is not whole');
  const bytesOf = (part) => image.subarray(starts[part], starts[part + 1]);
  return { state, bytesOf };
}

module.exports = { Parts, decode, encode };
