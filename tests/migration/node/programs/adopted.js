// Async methods with private fields, finally, nested trys, labelled loops, and values of every kind.
let open; const turns = []; const next = () => new Promise((resolve) => turns.push(resolve));
class Queue { #items = []; #waiting; async take() { while (this.#items.length === 0) await next(); return this.#items.shift(); } put(x) { this.#items.push(x); return this; } }
const queue = new Queue(); const seen = [];
async function consume(name) { for (;;) { const item = await queue.take(); if (item === null) return `${name} done`; seen.push(item); console.log(name, item); if (item % 3 === 0) await next(); } }
async function attempts() { let tries = 0; for (;;) { try { tries++; await next(); if (tries < 3) throw new Error(`try ${tries}`); return tries; } catch (error) { console.log('caught', error.message); if (tries > 5) throw error; } finally { console.log('finally', tries); } } }
async function* unused() { yield 1; }
const lazy = async (x = open, ...rest) => { const { length } = rest; const total = [x, length].join(); await next(); return (await next(), total); };
const obj = { v: 3, async run(k) { let sum = this.v; do { const add = await next(); sum = sum + k + (add ? 1 : 0); k--; } while (k > 0); return sum; } };
let n = 0;
const timer = setInterval(() => { n++; if (n < 9) queue.put(n); if (n === 9) queue.put(null).put(null); const now = turns.splice(0); console.log('turn', n, now.length, seen.length); for (const go of now) go(n); if (n === 14) clearInterval(timer); }, 20);
Promise.all([consume('a'), consume('b'), attempts(), lazy('x', 1, 2), obj.run(4)]).then((all) => console.log(all.join(' | ')));
