'use strict';
// Which closures share which contexts, and what a context holds that the inspector does not show.
//
// A context is known by a function through which it is reached and how many steps above that
// function's own it lies, since its address may change between any two reads.

const { WORD } = require('./moving/memory');

const { NotMovable } = require('./moving/refusal');

const DEPTH_MAX = 1000;  // Scopes around one closure; beyond it what is read are no contexts.
const MARKED = 0x100000000;  // A small number is kept in the upper half of a word.

// V8 keeps the names of so many variables with a scope; of more, elsewhere.
const NAMES_MAX = 75;
const SHIFTS_MAX = 6;

class Context {
  constructor(holder, depth, names, dead) {
    this.holder = holder;  // A function, or a generator.
    this.depth = depth;
    this.names = names;    // Of its slots, those that were asked for; undefined if there are many.
    this.dead = dead;      // The numbers of slots whose variable was not reached yet.
    this.scope = undefined;
  }

  // The names that the inspector shows.
  get shown() { return this.names?.filter((name) => name !== undefined && name !== 'this'); }

  get hasThis() { return this.names?.includes('this') ?? false; }
}

class Contexts {
  constructor(memory, layout) {
    this.memory = memory;
    this.layout = layout;
    this.known = [];
  }

  // The addresses of the contexts that a function or generator at `address` sees, innermost first,
  // without the one of the whole realm, which alone has nothing before it.
  chainAt(address, realm) {
    const { memory, layout } = this;
    const found = [];
    let at = memory.word(address + layout.context * WORD) - 1;
    while (at !== realm) {
      if (found.push(at) > DEPTH_MAX) throw new NotMovable('a closure of another realm');
      at = memory.word(at + layout.previous * WORD) - 1;
    }
    return found;
  }

  // The context of the whole realm, from a function of V8's, which has no other.
  realmAt(address) { return this.memory.word(address + this.layout.context * WORD) - 1; }

  // {names, dead} of the context at an address; `asked`: Map from where a name is to itself.
  describe(address, asked) {
    const { memory, layout } = this;
    // Its length counts neither itself nor the map.
    const size = memory.word(address + WORD) / MARKED - (layout.slots - 2);
    const dead = [];
    for (let i = 0; i < size; i++) {
      if (memory.word(address + (layout.slots + i) * WORD) === layout.hole) dead.push(i);
    }
    if (size > NAMES_MAX) return { names: undefined, dead };
    const description = memory.word(address + layout.description * WORD) - 1;
    const namesFrom = (shift) => Array.from({ length: size }, (_, i) =>
      asked.get(memory.wordIfAny(description + (layout.names + shift + i) * WORD) - 1));
    // Some kinds have a few words more before the names.
    const count = (names) => names.filter((name) => name !== undefined).length;
    let found = namesFrom(0);
    for (let shift = 1; shift < SHIFTS_MAX; shift++) {
      const shifted = namesFrom(shift);
      if (count(shifted) > count(found)) found = shifted;
    }
    return { names: found, dead };
  }

  // For each of the functions the number of the first that has the same context.
  leadersOf(fns) {
    return this.memory.withAddresses(fns, (addresses) => {
      const first = new Map();
      return fns.map((_, i) => {
        const context = this.memory.word(addresses[i] + this.layout.context * WORD);
        if (!first.has(context)) first.set(context, i);
        return first.get(context);
      });
    });
  }

  // For each of the functions or generators its chain of Contexts, innermost first. `names`: those
  // of variables that may be there.
  chainsOf(holders, names) {
    const { known } = this;
    const reps = [...new Set(known.map(({ holder }) => holder))];
    const place = new Map(reps.map((holder, i) => [holder, i]));
    const asked = ['this', ...names];
    const count = reps.length + holders.length;
    const found = this.memory.withAddresses([Math.max, ...reps, ...holders, ...asked], (all) => {
      const realm = this.realmAt(all[0]);
      const addresses = all.subarray(1);
      const nameAt = new Map(asked.map((name, i) => [addresses[count + i], name]));
      const chains = reps.map((_, i) => this.chainAt(addresses[i], realm));
      const byAddress = new Map();
      for (const context of known) {
        byAddress.set(chains[place.get(context.holder)][context.depth], context);
      }
      return holders.map((holder, i) => this.chainAt(addresses[reps.length + i], realm)
        .map((address, depth) => {
          let context = byAddress.get(address);
          if (!context) {
            const { names: slots, dead } = this.describe(address, nameAt);
            byAddress.set(address, context = new Context(holder, depth, slots, dead));
          }
          return context;
        }));
    });
    const seen = new Set(known);
    for (const chain of found) {
      for (const context of chain) {
        if (!seen.has(context)) { seen.add(context); known.push(context); }
      }
    }
    return found;
  }

  // Which of `candidates` is in the slot that `this` has; undefined if none is.
  thisAmong(context, candidates) {
    const { memory, layout } = this;
    const slot = context.names.indexOf('this');
    const at = memory.withAddresses([Math.max, context.holder, ...candidates], (addresses) => {
      const address = this.chainAt(addresses[1], this.realmAt(addresses[0]))[context.depth];
      const wanted = memory.word(address + (layout.slots + slot) * WORD) - 1;
      return addresses.indexOf(wanted, 2);
    });
    return at < 0 ? undefined : candidates[at - 2];
  }
}

module.exports = { Contexts };
