// Closures made in loops and by each other, immediately called functions, functions with properties, recursion.
const made = [];
for (let i = 0; i < 3; i++) made.push({ get: () => i, add: () => { i += 10; } });
for (const word of ['a', 'b']) made.push({ get: () => word, add: () => word });
for (const key in { x: 1, y: 2 }) made.push({ get: () => key, add: () => key });
const counter = (() => { let n = 0; const self = () => ++n; self.reset = () => { n = 0; return self; }; self.self = self; return self; })();
const compose = (...list) => (x) => list.reduceRight((value, fn) => fn(value), x);
const pipeline = compose((x) => x + 1, (x) => x * 2, counter.self);
const fib = function self(n) { return n < 2 ? n : (self.known[n] ??= self(n - 1) + self(n - 2)); };
fib.known = {};
var late = typeof early, early = 1;
const curry = (fn, ...held) => (held.length >= fn.length ? fn(...held) : (...more) => curry(fn, ...held, ...more));
const two = curry((a, b, c) => `${a}${b}${c}`)(1)(2);
let chain = null;
for (let i = 0; i < 50; i++) chain = { i, next: chain, walk() { return this.next ? 1 + this.next.walk() : 1; } };
let turn = 0;
setTimeout(function next() {
  turn++;
  for (const one of made) one.add();
  console.log(turn, made.map((one) => one.get()).join(), pipeline(0), fib(turn * 5), Object.keys(fib.known).length, late, two(turn), chain.walk());
  if (turn === 5) counter.reset();
  if (turn < 9) setTimeout(next, 15);
}, 15);
