'use strict';
// `arguments` and `super` and `new.target` in arrow functions, `super` in object methods, variables of one name, places in finally.
const base = { greet(word) { return `base ${word}`; }, get size() { return 10; } };
const derived = { __proto__: base, name: 'derived', greet(word) { return `${this.name} ${super.greet(word)} ${super.size}`; }, arrow() { return () => super.greet('arrow'); }, async slowly(n) { await tick(); return super.greet(`slowly ${n}`); } };
function Maker() { this.target = () => new.target === Maker; this.count = () => arguments.length; this.first = () => arguments[0]; }
class Parent { value() { return 1; } }
class Child extends Parent { constructor() { super(); this.get = () => super.value() + 1; } later() { return () => super.value() + 5; } }
const made = new Maker('x', 'y');
const child = new Child();
const { greet } = derived;
const [held, arrow, later] = [derived.greet, derived.arrow(), child.later()];
const wakes = [];
const tick = () => new Promise((resolve) => wakes.push(resolve));
async function shadows(x) {
  for (let i = 0; i < 3; i++) {
    const x = i * 10;
    { const i = 'inner'; await tick(); console.log('shadows', x, i); }
    console.log('outer', x, i);
  }
  try { throw x; } catch (x) { const y = x + 1; { let x = y; await tick(); console.log('caught', x); } }
  return x;
}
async function finals(how) {
  for (const n of [1, 2]) {
    try { if (how === 'throw') throw new Error('thrown'); if (how === 'return') return 'returned'; if (how === 'continue') continue; console.log('body', how); } finally { await tick(); console.log('finally', how, n); }
  }
  return 'through';
}
function* finalling() { try { yield 1; return 2; } finally { yield 3; console.log('after three'); } }
const generator = finalling();
console.log(generator.next().value, generator.next().value);
for (const how of ['throw', 'return', 'continue', 'plain']) finals(how).then((value) => console.log(how, value), (error) => console.log(how, error.message));
shadows('x').then((x) => console.log('result', x));
derived.slowly(1).then((text) => console.log(text));
let turn = 0;
setTimeout(function next() {
  turn++;
  console.log(turn, derived.greet(turn), held.call({ name: 'other' }, 'y'), arrow(), made.target(), made.count(), made.first(), child.get(), later(), greet.name);
  if (turn === 6) console.log(JSON.stringify(generator.next()));
  for (const wake of wakes.splice(0)) wake();
  if (turn < 9) setTimeout(next, 15);
}, 15);
