// Semaphores, queues and state machines over promises: what waits is a closure, a method or a suspended function.
class Semaphore { #free; #waiting = []; constructor(free) { this.#free = free; } async run(action) { if (this.#free === 0) await new Promise((go) => this.#waiting.push(go)); else this.#free--; try { return await action(); } finally { const go = this.#waiting.shift(); if (go) go(); else this.#free++; } } }
class Channel { items = []; takers = []; put(item) { const take = this.takers.shift(); if (take) take(item); else this.items.push(item); } take() { return this.items.length ? Promise.resolve(this.items.shift()) : new Promise((resolve) => this.takers.push(resolve)); } }
const wakes = [];
const tick = () => new Promise((resolve) => wakes.push(resolve));
const semaphore = new Semaphore(2);
const channel = new Channel();
const done = Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => semaphore.run(async () => { await tick(); console.log('ran', name); return name; })));
done.then((names) => console.log('all', names.join('')));
(async () => { for (;;) { const item = await channel.take(); if (item === 'end') break; console.log('took', item); } console.log('taker ends'); })();
const machine = { state: 'idle', on: { idle: () => 'busy', busy: () => 'idle' }, step() { this.state = this.on[this.state](); return this.state; } };
const retry = async (times, action) => { let error; for (let n = 1; n <= times; n++) { try { return await action(n); } catch (caught) { error = caught; console.log('failed', n, caught.message); await tick(); } } throw error; };
retry(3, async (n) => { await tick(); if (n < 3) throw new Error(`no ${n}`); return `yes ${n}`; }).then((word) => console.log(word));
let turn = 0;
setTimeout(function next() {
  turn++;
  console.log('turn', turn, machine.step());
  channel.put(turn < 9 ? turn : 'end');
  for (const wake of wakes.splice(0)) wake();
  if (turn < 10) setTimeout(next, 15);
}, 15);
