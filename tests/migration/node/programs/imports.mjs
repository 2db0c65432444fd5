// ES modules: live bindings both ways, cycles, namespaces, defaults, re-exports, import() and import.meta.
import fs, { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename } from 'path';
import Counter, { count, increment, reset as clear, constant, 'odd name' as odd } from './lib/counter.mjs';
import * as counting from './lib/counter.mjs';
import { isEven } from './lib/even.mjs';
import { isOdd, calls } from './lib/odd.mjs';
import shape, { area, kinds } from './lib/reexports.mjs';
import common, { add } from './lib/common.cjs';
import { readFile } from 'node:fs';
const require = createRequire(import.meta.url);
export let turns = 0;
export const limit = 9;
export default class Main { static made = 0; #secret = 3; constructor() { Main.made++; } tell() { return this.#secret++ + count; } }
const main = new Main();
let late, wake;
const arrow = () => typeof this;
async function slowly() {
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => { wake = resolve; });
    increment();
    console.log('slowly', i, count, basename(import.meta.url));
  }
}
slowly();
// The next turn comes when this one is done, however long an import takes.
setTimeout(async function turn() {
  turns++;
  wake();
  increment();
  console.log(turns, count, counting.count, Object.keys(counting).join(), new Counter().next(), constant, odd);
  console.log(isEven(turns), isOdd(turns), calls, shape, area(turns), kinds.size, add(turns), common.total, main.tell(), Main.made, arrow());
  try { counting.count = 5; } catch (error) { console.log(error.name); }
  if (turns === 2) { const again = await import('./lib/counter.mjs'); console.log(again === counting, again.count === count); }
  if (turns === 4) { late = await import('./lib/late.mjs'); console.log(late.name, late.default(), late.main()); }
  if (turns === 5) console.log((await import('./lib/late.mjs')) === late, late.bump(), late.name);
  if (turns === 6) { clear(); console.log(count, require('./lib/common.cjs') === common, typeof fs.readFileSync, fs.readFileSync === readFileSync, typeof readFile); }
  if (turns === 7) { const self = await import(import.meta.url); console.log(self.turns, self.default === Main, self[Symbol.toStringTag], basename(import.meta.filename), basename(import.meta.resolve('./lib/late.mjs'))); }
  if (turns < limit) setTimeout(turn, 35);
}, 35);
