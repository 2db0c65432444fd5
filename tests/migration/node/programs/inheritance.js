// ES5 inheritance, mixins, Object.create chains, symbols and accessors on prototypes.
function A(x) { if (!new.target) return new A(x); this.x = x; }
A.prototype = { constructor: A, get double() { return this.x * 2; }, set double(v) { this.x = v / 2; }, [Symbol.toPrimitive](hint) { return hint === 'number' ? this.x : `A(${this.x})`; } };
function B(x, y) { this.x = x; Reflect.apply(init, this, [y]); }
function init(y) { this.y = y; }
Object.setPrototypeOf(B.prototype, A.prototype); Object.setPrototypeOf(B, A); A.make = function(...a) { return new this(...a); };
const canFly = (C) => { C.prototype.fly = function() { return `${this.x} flies`; }; return C; };
canFly(A);
const deep = Object.create(Object.create(Object.create({ base: 'base' }), { mid: { get() { return this.low; } } })); deep.low = 'low';
let a = A(1);
const tag = { get [Symbol.toStringTag]() { return 'Tagged'; } };
class Temp { static #all = new Set(); static { Temp.zero = new Temp(0); } #c; constructor(c) { this.#c = c; Temp.#all.add(this); } get f() { return this.#c * 9 / 5 + 32; } set f(v) { this.#c = (v - 32) * 5 / 9; } static get size() { return Temp.#all.size; } static is(o) { return #c in o; } }
const t = new Temp(100);
function step(n) { a.double = n; t.f += n; console.log(+a, `${a}`, a.double, a.fly(), new (class extends B {})(n, 2).fly.call({ x: 9 }), deep.base, deep.mid, String(tag), t.f.toFixed(2), Temp.size, Temp.is(t), Temp.is({}), Temp.zero instanceof Temp, Object.getPrototypeOf(B) === A, A.make(n).x); }
B.prototype.isB = true; Object.defineProperty(B, Symbol.hasInstance, { value: (o) => o?.y !== undefined });
let turn = 0;
const timer = setInterval(() => { turn++; step(turn); if (turn === 8) clearInterval(timer); }, 25);
