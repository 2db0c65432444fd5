// Kinds of objects: collections, symbols, accessors, cycles, frozen ones, proxies, buffers.
const key = Symbol('key');
const shared = Symbol.for('shared');
const cyclic = { name: 'cycle' };
cyclic.self = cyclic;
cyclic.list = [cyclic, [cyclic]];
const frozen = Object.freeze({ a: [1], b: 2 });
const sealed = Object.seal({ s: 1 });
const odd = Object.create(null, { hidden: { value: 3 }, seen: { value: 4, enumerable: true } });
const withAccessors = { _v: 1, get v() { return this._v; }, set v(x) { this._v = x * 2; }, [key]: 'k', [shared]: 's' };
const map = new Map([[cyclic, 'object key'], [NaN, 'nan'], [1n, 'big'], [key, key]]);
const set = new Set([1, -0, 'x', undefined, null, map]);
const weak = new WeakMap([[cyclic, { held: 1 }]]);
const weakSet = new WeakSet([frozen]);
const sparse = [1, , 3];
sparse.extra = 'prop';
const log = [];
const proxy = new Proxy({ t: 1 }, { get: (target, name) => { log.push(String(name)); return target[name]; } });
const bytes = new Uint8Array([1, 2, 3, 250]);
const view = new DataView(bytes.buffer, 1, 2);
const floats = Float64Array.of(1.5, NaN, -0);
const buffer = Buffer.from('hello, world');
const slice = buffer.subarray(2, 5);
const date = new Date(86400000);
const regexp = /(\d+)/g;
regexp.exec('a1b22');
const bound = function(a, b, c) { return [this.name, a, b, c].join(); }.bind({ name: 'bound' }, 1, 2);
const numbers = [NaN, -0, Infinity, -Infinity, 1e21, 2 ** 53, 123456789012345678901234567890n];
const boxed = [Object('str'), Object(5), Object(true), Object(key)];
const proto = { greet() { return `hi ${this.n}`; } };
const child = Object.setPrototypeOf({ n: 'child' }, proto);
const url = new URL('http://example.org/a?b=c#d');
const text = { lone: '\ud800', emoji: '\u{1F600}', nul: '\0', __proto__: null, ['__proto__']: 1 };
const ranges = [[1, 2, 3].values(), map.keys(), set.entries(), 'héllo'[Symbol.iterator] && [4, 5, 6].entries()];
ranges.forEach((r) => r.next());
let turn = 0;
const timer = setInterval(() => {
  turn++;
  withAccessors.v = turn;
  bytes[0]++;
  map.set(`t${turn}`, turn);
  slice[0] = 65 + turn;
  if (turn === 9) console.log(ranges.map((r) => JSON.stringify([...r].map(String))).join());
  console.log(cyclic.list[1][0] === cyclic, Object.isFrozen(frozen), Object.isSealed(sealed),
    Object.keys(odd), odd.hidden, Object.getPrototypeOf(odd), withAccessors.v, withAccessors[key],
    withAccessors[shared], map.get(cyclic), map.get(NaN), map.get(1n), map.get(key) === key, [...set].map(String),
    weak.get(cyclic), weakSet.has(frozen), sparse.length, 1 in sparse, sparse.extra, proxy.t, log.length,
    view.getUint8(0), bytes.join(), floats.join(), Object.is(floats[2], -0), buffer.toString(),
    slice.toString(), Buffer.isBuffer(slice), date.toISOString(), regexp.lastIndex, bound(turn),
    numbers.map(String).join(), Object.is(numbers[1], -0), boxed.map((b) => typeof b.valueOf()).join(),
    child.greet(), url.href, url.searchParams.get('b'), JSON.stringify(text), text.__proto__, bound.name);
  try { 'use strict'; Object.defineProperty(frozen, 'z', { value: 1 }); } catch (e) { console.log(e.name); }
  if (turn === 10) clearInterval(timer);
}, 40);
