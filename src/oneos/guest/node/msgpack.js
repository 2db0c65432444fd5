'use strict';
// MessagePack, the part that docs/guest-protocol.md uses.
//
// Encodes null, booleans, integers (number or BigInt, 64 bits), strings, bytes (any Uint8Array),
// arrays and plain objects. Decodes everything but extensions; integers beyond 2^53 come as BigInt,
// bytes as a view of the frame, which the caller copies if it keeps it longer than the frame.

let out = Buffer.allocUnsafeSlow(4096);
let end = 0;

function room(bytes) {
  if (end + bytes <= out.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(out.length * 2, end + bytes));
  out.copy(larger, 0, 0, end);
  out = larger;
}

function head(length, fixed, fixedMax, code8, code16) {
  room(length + 5);
  if (length <= fixedMax) {
    out[end++] = fixed | length;
  } else if (code8 && length < 0x100) {
    out[end++] = code8;
    out[end++] = length;
  } else if (length < 0x10000) {
    out[end] = code16;
    end = out.writeUInt16BE(length, end + 1);
  } else {
    out[end] = code16 + 1;
    end = out.writeUInt32BE(length, end + 1);
  }
}

function putInteger(value) {
  room(9);
  if (typeof value === 'bigint') {
    out[end] = value < 0n ? 0xd3 : 0xcf;
    end = value < 0n ? out.writeBigInt64BE(value, end + 1) : out.writeBigUInt64BE(value, end + 1);
  } else if (value >= 0) {
    if (value < 0x80) out[end++] = value;
    else if (value < 0x100000000) { out[end] = 0xce; end = out.writeUInt32BE(value, end + 1); }
    else putInteger(BigInt(value));
  } else if (value >= -32) {
    out[end++] = value & 0xff;
  } else if (value >= -0x80000000) {
    out[end] = 0xd2;
    end = out.writeInt32BE(value, end + 1);
  } else {
    putInteger(BigInt(value));
  }
}

function put(value) {
  if (typeof value === 'string') {
    const bytes = Buffer.byteLength(value);
    head(bytes, 0xa0, 31, 0xd9, 0xda);
    end += out.utf8Write(value, end, bytes);
  } else if (typeof value === 'bigint' || Number.isInteger(value)) {
    putInteger(value);
  } else if (value === null || value === undefined) {
    room(1);
    out[end++] = 0xc0;
  } else if (value === true || value === false) {
    room(1);
    out[end++] = value ? 0xc3 : 0xc2;
  } else if (value instanceof Uint8Array) {
    head(value.length, 0, -1, 0xc4, 0xc5);
    out.set(value, end);
    end += value.length;
  } else if (Array.isArray(value)) {
    head(value.length, 0x90, 15, 0, 0xdc);
    for (let i = 0; i < value.length; i++) put(value[i]);
  } else if (typeof value === 'object') {
    const keys = Object.keys(value);
    head(keys.length, 0x80, 15, 0, 0xde);
    for (const key of keys) { put(key); put(value[key]); }
  } else {
    throw new TypeError(`msgpack: cannot encode a ${typeof value}: ${String(value)}`);
  }
}

// One frame: a 4-byte little-endian length and the value. The buffer is the encoder's own and
// is overwritten by the next call.
function frame(value) {
  end = 4;
  put(value);
  out.writeUInt32LE(end - 4, 0);
  return out.subarray(0, end);
}

let input;
let at = 0;

function take(bytes) {
  at += bytes;
  if (at > input.length) throw new RangeError('msgpack: the value ends before its frame does');
  return at - bytes;
}

function text(bytes) { const from = take(bytes); return input.utf8Slice(from, from + bytes); }
function bytes(count) { const from = take(count); return input.subarray(from, from + count); }

function list(count) {
  const items = new Array(count);
  for (let i = 0; i < count; i++) items[i] = get();
  return items;
}

function map(count) {
  const object = {};
  for (let i = 0; i < count; i++) { const key = get(); object[key] = get(); }
  return object;
}

function wide(value) {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ?
    Number(value) : value;
}

function get() {
  const code = input[take(1)];
  if (code < 0x80) return code;
  if (code < 0x90) return map(code & 0x0f);
  if (code < 0xa0) return list(code & 0x0f);
  if (code < 0xc0) return text(code & 0x1f);
  if (code >= 0xe0) return code - 0x100;
  switch (code) {
    case 0xc0: return null;
    case 0xc2: return false;
    case 0xc3: return true;
    case 0xc4: return bytes(input[take(1)]);
    case 0xc5: return bytes(input.readUInt16BE(take(2)));
    case 0xc6: return bytes(input.readUInt32BE(take(4)));
    case 0xca: return input.readFloatBE(take(4));
    case 0xcb: return input.readDoubleBE(take(8));
    case 0xcc: return input[take(1)];
    case 0xcd: return input.readUInt16BE(take(2));
    case 0xce: return input.readUInt32BE(take(4));
    case 0xcf: return wide(input.readBigUInt64BE(take(8)));
    case 0xd0: return input.readInt8(take(1));
    case 0xd1: return input.readInt16BE(take(2));
    case 0xd2: return input.readInt32BE(take(4));
    case 0xd3: return wide(input.readBigInt64BE(take(8)));
    case 0xd9: return text(input[take(1)]);
    case 0xda: return text(input.readUInt16BE(take(2)));
    case 0xdb: return text(input.readUInt32BE(take(4)));
    case 0xdc: return list(input.readUInt16BE(take(2)));
    case 0xdd: return list(input.readUInt32BE(take(4)));
    case 0xde: return map(input.readUInt16BE(take(2)));
    case 0xdf: return map(input.readUInt32BE(take(4)));
    default: throw new RangeError(`msgpack: unknown code 0x${code.toString(16)}`);
  }
}

// The value in a whole frame's body, without its length.
function decode(body) {
  input = body;
  at = 0;
  const value = get();
  if (at !== body.length) throw new RangeError('msgpack: bytes after the value');
  return value;
}

module.exports = { frame, decode };
