'use strict';
// Words of V8's heap, read where only identity or a number is wanted that nothing else tells.
//
// A closure's context has no name in JavaScript, but an address; whether two closures share one is
// whether the addresses are equal. The inspector does not tell, and a heap snapshot takes 0.3 s.
// Nothing is written. Objects are put in an array next to four random numbers, by which the array
// is found in /proc/self/mem; its elements are their addresses. The array has moved if a new
// number put into it is not there to be read, and then what was read is read again.

const { original } = require('./steps');
const { NotMovable } = require('./moving/refusal');

const WORD = 8;
const MARKS = 4;
const SLOTS = 2048;
const PIECE = 4 << 20;
const TRIES_MAX = 16;  // A collection between two reads is rare; so many in a row do not happen.
const READ_ONLY = 0;

const randomMark = () => 1 + Math.floor(Math.random() * 0x3fffffff);

class Memory {
  constructor() {
    this.window = new Array(MARKS + SLOTS).fill(0);
    for (let i = 0; i < MARKS; i++) this.window[i] = randomMark();
    this.at = undefined;
    this.words = Buffer.alloc(WORD * (MARKS + SLOTS));
    try {
      this.fd = original.open('/proc/self/mem', READ_ONLY, 0);
    } catch {
      throw new NotMovable('this host does not let a program read its own memory');
    }
  }

  close() { original.close(this.fd); }

  read(buffer, length, address) {
    try {
      return original.read(this.fd, buffer, 0, length, address) === length;
    } catch {
      return false;
    }
  }

  // The word at an address as a number: an address without its tag, or a number's bits.
  word(address) {
    if (!this.read(this.words, WORD, address)) throw new NotMovable('memory cannot be read');
    return this.words.readUInt32LE(4) * 0x100000000 + this.words.readUInt32LE(0);
  }

  // As `word`, but undefined where no memory is: past the end of what is looked at.
  wordIfAny(address) {
    if (!this.read(this.words, WORD, address)) return undefined;
    return this.words.readUInt32LE(4) * 0x100000000 + this.words.readUInt32LE(0);
  }

  regions() {
    const fd = original.open('/proc/self/maps', READ_ONLY, 0);
    const pieces = [];
    try {
      for (;;) {
        const piece = Buffer.alloc(1 << 16);
        const count = original.read(fd, piece, 0, piece.length, -1);
        if (count <= 0) break;
        pieces.push(piece.subarray(0, count));
      }
    } finally {
      original.close(fd);
    }
    const found = [];
    for (const line of Buffer.concat(pieces).toString('latin1').split('\n')) {
      const match = /^([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ 0\s*$/.exec(line);
      if (match) found.push([parseInt(match[1], 16), parseInt(match[2], 16)]);
    }
    return found;
  }

  isHere(address) {
    const mark = this.window[0];
    this.window[0] = randomMark();
    const isHere = this.read(this.words, WORD, address) &&
      this.words.readUInt32LE(4) === this.window[0] && this.words.readUInt32LE(0) === 0;
    this.window[0] = mark;
    return isHere;
  }

  // Where the window is. A collection while it is looked for can move it to where was looked.
  find() {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const found = this.findOnce();
      if (found !== undefined) return found;
    }
    throw new NotMovable('the program\'s own memory was not found');
  }

  findOnce() {
    const pattern = Buffer.alloc(WORD * MARKS);
    for (let i = 0; i < MARKS; i++) pattern.writeUInt32LE(this.window[i], i * WORD + 4);
    const piece = Buffer.alloc(PIECE);
    for (const [start, end] of this.regions()) {
      for (let from = start; from < end; from += PIECE - pattern.length) {
        const length = Math.min(PIECE, end - from);
        if (!this.read(piece, length, from)) break;
        let hit = -1;
        while ((hit = piece.subarray(0, length).indexOf(pattern, hit + 1)) >= 0) {
          if (this.isHere(from + hit)) return from + hit;
        }
      }
    }
    return undefined;
  }

  // Where the objects are, which are put into the window by and by.
  addressesOf(objects) {
    const addresses = new Float64Array(objects.length);
    for (let from = 0; from < objects.length; from += SLOTS) {
      const count = Math.min(SLOTS, objects.length - from);
      for (let i = 0; i < count; i++) this.window[MARKS + i] = objects[from + i];
      if (!this.read(this.words, WORD * (MARKS + count), this.at)) return undefined;
      for (let i = 0; i < count; i++) {
        const at = (MARKS + i) * WORD;
        addresses[from + i] = this.words.readUInt32LE(at + 4) * 0x100000000 +
          this.words.readUInt32LE(at) - 1;
      }
    }
    return addresses;
  }

  // The addresses of objects, given to `use`, in whose run nothing moves; what it returns. It is
  // run again if something did, so it may change nothing.
  withAddresses(objects, use) {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      if (this.at === undefined || !this.isHere(this.at)) this.at = this.find();
      // The window may stay where it is while younger objects move; this one is the youngest.
      const youngest = [Object.create(null)];
      const before = this.addressesOf(youngest)?.[0];
      let result;
      let failure;
      try {
        const addresses = this.addressesOf(objects);
        if (!addresses) continue;
        result = use(addresses);
      } catch (error) {
        failure = error;
      } finally {
        this.window.fill(0, MARKS);
      }
      if (!this.isHere(this.at) || this.addressesOf(youngest)?.[0] !== before) continue;
      if (failure) throw failure;
      return result;
    }
    throw new NotMovable('memory is collected too often to be read');
  }
}

module.exports = { Memory, WORD };
