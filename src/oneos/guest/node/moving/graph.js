'use strict';
// The objects of a capture: each gets a number when it is first met, and how it was reached.
//
// A record is plain JSON. A value in it is itself if JSON has it; [n] is object n, ['u'] undefined,
// ['n', text] a number JSON lacks, ['b', text] a BigInt, ['s', where] a symbol everybody has.

const { NotMovable } = require('./moving/refusal');

const PATH_STEPS_MAX = 24;  // Of a path in a message; more does not help a person.
const isPlainNumber = (value) => Number.isFinite(value) && !Object.is(value, -0);

const wellKnown = new Map();
for (const name of Reflect.ownKeys(Symbol)) {
  if (typeof Symbol[name] === 'symbol') wellKnown.set(Symbol[name], name);
}

// A symbol that any Node has, as where it is: undefined for one of the program's own.
function commonSymbol(symbol) {
  const name = wellKnown.get(symbol);
  if (name) return ['w', name];
  const key = Symbol.keyFor(symbol);
  return key === undefined ? undefined : ['f', key];
}

class Graph {
  constructor() {
    this.records = [];
    this.ids = new Map();
    this.values = [];
    this.from = [];
    this.how = [];
    this.waiting = [];
  }

  // The record's form of a value met in object `from` at `how`.
  value(value, from, how) {
    switch (typeof value) {
      case 'string': case 'boolean': return value;
      case 'number':
        if (isPlainNumber(value)) return value;
        return ['n', Object.is(value, -0) ? '-0' : String(value)];
      case 'undefined': return ['u'];
      case 'bigint': return ['b', String(value)];
      case 'symbol': {
        const common = commonSymbol(value);
        return common ? ['s', ...common] : [this.id(value, from, how)];
      }
      default: return value === null ? null : [this.id(value, from, how)];
    }
  }

  id(object, from, how) {
    const known = this.ids.get(object);
    if (known !== undefined) return known;
    const id = this.records.length;
    this.ids.set(object, id);
    this.values.push(object);
    this.records.push(null);
    this.from.push(from);
    this.how.push(how);
    this.waiting.push(id);
    return id;
  }

  pathOf(id, step) {
    const steps = step === undefined ? [] : [step];
    for (let at = id; typeof at === 'number' && at >= 0; at = this.from[at]) {
      steps.push(this.how[at]);
    }
    steps.reverse();
    if (steps.length > PATH_STEPS_MAX) {
      steps.splice(PATH_STEPS_MAX / 2, steps.length - PATH_STEPS_MAX, ' ... ');
    }
    return steps.join('');
  }

  // Ends the capture: what object `id` is cannot be moved.
  refuse(reason, id, step) { throw new NotMovable(reason, this.pathOf(id, step)); }
}

module.exports = { Graph, commonSymbol, isPlainNumber };
