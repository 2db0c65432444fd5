// Bound, default and rest parameters, recursion, memo, currying, generators of functions, toString.
const memo = (f, cache = new Map()) => (x) => { if (!cache.has(x)) cache.set(x, f(x)); return cache.get(x); }; const fib = memo((n) => (n < 2 ? n : fib(n - 1) + fib(n - 2)));
const curry = (f) => function curried(...a) { return a.length >= f.length ? f.apply(this, a) : curried.bind(this, ...a); }; const add3 = curry((a, b, c) => a + b + c); const add1 = add3(1); const add12 = add1(2);
function defaults(a, { b = a, ...rest } = {}, [c = b] = [], ...more) { return () => [a, b, c, rest, more.length].map(String).join(); } const d = defaults(1, { x: 1 }, [], 4, 5);
const compose = (...fs) => (x) => fs.reduceRight((v, f) => f(v), x); const pipeline = compose((x) => x + 1, function double(x) { return x * 2; }, Math.abs, parseInt);
const obj = { method() { return this.v; }, get got() { return this.v; }, async later() {}, *gen() {}, ['comp' + 1]() { return 'c'; }, v: 7, 'quoted key'() { return 'q'; }, 5() { return 5; } }; const borrowed = obj.method; obj.method.extra = { deep: 1 };
function once(f) { let done = false, r; return (...a) => (done ? r : (done = true, r = f(...a))); } const single = once((x) => x * 100); const made = new Function('a', 'b', 'return a * b + this.k'); const iife = ((n) => { var v = n; function inc() { return ++v; } return { inc, read: () => v }; })(5); counter.n = 0; function counter() { return ++counter.n; }
var hoisted = before(); function before() { return typeof after; } var after = 1; const tricky = { __proto__: null, constructor: 'c', hasOwnProperty: 1 };
function step(n) { console.log(fib(20 + n), add12(n), add1(n, n), d(), pipeline(`-${n}`), obj.got, borrowed.call({ v: n }), obj.method.extra.deep++, obj.comp1(), obj['quoted key'](), obj[5](), single(n), made.call({ k: 1 }, n, 2), iife.inc(), iife.read(), counter(), hoisted, tricky.constructor, String(fib), String(add3), String(obj['quoted key']), String(counter), String(made).length, String(double ?? '').length, obj.later.name, made.name, add12.name, d.length, defaults.length); }
const double = null;
let turn = 0;
const timer = setInterval(() => { turn++; step(turn); if (turn === 8) clearInterval(timer); }, 25);
