'use strict';
// Where V8 keeps what we read, found out on objects whose content is known.
//
// The places differ between versions, so each is looked for on probes, and a probe that does not
// show exactly one place ends the capture. All are words from the start of the object.

const { WORD } = require('./moving/memory');
const { NotMovable } = require('./moving/refusal');

const WORDS_MAX = 12;
const FUNCTION_WORDS = 7;  // The least that a function and a context have.

function makeProbe(value) {
  let kept = value;
  let hole;
  const one = () => kept;
  const two = (to) => { kept = to; return hole; };
  hole = undefined;
  return [one, two, function inner() { const deep = kept; return () => [deep, kept]; }];
}

function makeHole(early) {
  const read = () => late;
  early(read);
  let late = 1;
  return read;
}

class Layout {
  constructor(memory) {
    this.memory = memory;
    this.findContexts();
    this.findNames();
    this.findIterators();
  }

  only(places, what) {
    if (places.length !== 1) throw new NotMovable(`this version of V8 is not known (${what})`);
    return places[0];
  }

  places(test, most = WORDS_MAX) {
    const found = [];
    for (let i = 1; i < most; i++) if (test(i)) found.push(i);
    return found;
  }

  findContexts() {
    const { memory } = this;
    const [one, two, inner] = makeProbe(1);
    const [other] = makeProbe(2);
    const [third] = makeProbe(3);
    memory.withAddresses([one, two, other, third, inner()], (at) => {
      const word = (object, i) => memory.word(at[object] + i * WORD);
      // The one that functions of one scope share, and no others do.
      this.context = this.only(this.places((i) => word(0, i) === word(1, i) &&
        word(0, i) !== word(2, i) && word(2, i) !== word(3, i) && word(0, i) !== word(3, i) &&
        word(0, i) % 2 === 1, FUNCTION_WORDS), 'context of functions');
      const context = word(0, this.context) - 1;
      const deep = word(4, this.context) - 1;
      this.previous = this.only(this.places((i) => memory.word(deep + i * WORD) === context + 1,
                                            FUNCTION_WORDS), 'previous context');
      this.contextMap = memory.word(context);
    });
    let hole;
    makeHole((read) => {
      hole = memory.withAddresses([read], ([at]) => {
        const context = memory.word(at + this.context * WORD) - 1;
        const words = [];
        for (let i = 0; i < WORDS_MAX; i++) words.push(memory.word(context + i * WORD));
        return words;
      });
    });
    const done = makeHole(() => {});
    // The slot that is the number 1 << 32 once the variable has its value, and was the hole before.
    memory.withAddresses([done], ([at]) => {
      const context = memory.word(at + this.context * WORD) - 1;
      this.slots = this.only(this.places((i) => i > this.previous &&
        memory.word(context + i * WORD) === 0x100000000), 'slots of contexts');
    });
    this.hole = hole[this.slots];
    const [nothing] = makeProbe(undefined);
    this.undefined = memory.withAddresses([nothing], ([at]) =>
      memory.word(memory.word(at + this.context * WORD) - 1 + this.slots * WORD));
  }

  // Where the description of a context, its second word, keeps the names of its slots.
  findNames() {
    const { memory } = this;
    const [read] = makeProbe(1);
    memory.withAddresses([read, 'kept', 'this'], (at) => {
      const context = memory.word(at[0] + this.context * WORD) - 1;
      this.description = this.previous - 1;
      const description = memory.word(context + this.description * WORD) - 1;
      this.names = this.only(this.places((i) => memory.word(description + i * WORD) === at[1] + 1),
                             'names of variables');
    });
  }

  findIterators() {
    const { memory } = this;
    const list = [10, 20, 30, 40, 50, 60, 70, 80, 90];
    const iterator = list.values();
    for (let i = 0; i < 7; i++) iterator.next();
    const [keys, entries] = [list.keys(), list.entries()];
    const done = [].values();
    done.next();
    memory.withAddresses([iterator, list, keys, entries, done], (at) => {
      const word = (object, i) => memory.word(at[object] + i * WORD);
      this.iterated = this.only(this.places((i) => i < 6 && word(0, i) === at[1] + 1), 'iterators');
      this.index = this.only(this.places((i) => i < 6 && word(0, i) === 7 * 0x100000000 &&
        word(2, i) === 0), 'index of iterators');
      this.kind = this.index + 1;
      this.kinds = new Map([[word(2, this.kind), 'keys'], [word(0, this.kind), 'values'],
                            [word(3, this.kind), 'entries']]);
      this.spent = word(4, this.iterated);
      this.spentIndex = word(4, this.index);
      if (this.kinds.size !== 3) this.only([], 'kind of iterators');
    });
  }

  // {index, kind} of an array iterator and the address of what it goes over; undefined at its end.
  iteratorOf(iterator, candidates) {
    return this.memory.withAddresses([iterator, ...candidates], (at) => {
      const word = (i) => this.memory.word(at[0] + i * WORD);
      const over = candidates.findIndex((_, i) => at[i + 1] + 1 === word(this.iterated));
      return { over, index: word(this.index) / 0x100000000, kind: this.kinds.get(word(this.kind)) };
    });
  }
}

module.exports = { Layout };
