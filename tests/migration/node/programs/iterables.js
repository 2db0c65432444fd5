// Iterators of the program's own, spread and destructuring from them, iterators in mid-way, `return` that is called.
class Range { constructor(from, to) { this.from = from; this.to = to; } *[Symbol.iterator]() { for (let i = this.from; i < this.to; i++) yield i; } }
const log = [];
const closing = { n: 0, [Symbol.iterator]() { const self = this; return { next() { return { value: ++self.n, done: false }; }, return(value) { log.push('returned'); return { value, done: true }; } }; } };
const zip = function* (...lists) { const all = lists.map((list) => list[Symbol.iterator]()); for (;;) { const got = all.map((one) => one.next()); if (got.some(({ done }) => done)) return; yield got.map(({ value }) => value); } };
const range = new Range(0, 100)[Symbol.iterator]();
const pairs = zip([...'abcdefghijkl'], new Range(1, 50), new Set([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]));
const entries = new Map([['k', 1], ['l', 2], ['m', 3]]).entries();
const values = [5, 6, 7].values();
const lazy = { *map(list, fn) { for (const item of list) yield fn(item); }, *take(list, n) { if (n > 0) for (const item of list) { yield item; if (--n === 0) return; } } };
const squares = lazy.map(new Range(1, 1000), (n) => n * n);
let turn = 0;
setTimeout(function next() {
  turn++;
  const [first, second] = closing;
  const [{ value }, pair] = [range.next(), pairs.next()];
  console.log(turn, first, second, log.length, value, JSON.stringify(pair), entries.next().value?.join() ?? 'over', values.next().done);
  console.log(squares.next().value, [...lazy.take(new Range(turn, 99), 3)].join(), Math.max(...new Range(0, turn)), Array.from(new Range(0, 3), (n) => n + turn).join());
  if (turn < 10) setTimeout(next, 15);
}, 15);
