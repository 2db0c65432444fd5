// WeakRef: what it points to is there as long as the program has it.
const held = { name: 'held' };
const ref = new WeakRef(held);
class Cache { #refs = new Map(); put(key, value) { this.#refs.set(key, new WeakRef(value)); return value; } get(key) { return this.#refs.get(key)?.deref(); } }
const cache = new Cache();
const kept = [cache.put('a', { a: 1 }), cache.put('b', [1, 2])];
let turn = 0;
setTimeout(function next() {
  turn++;
  console.log(turn, ref.deref() === held, ref.deref().name, cache.get('a') === kept[0], cache.get('b').length, cache.get('c'), ref instanceof WeakRef);
  if (turn < 9) setTimeout(next, 15);
}, 15);
