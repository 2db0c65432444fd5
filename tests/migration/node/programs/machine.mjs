// ES modules with state in all kinds of declarations, classes over modules, builtins that are imported late.
import { EventEmitter } from 'node:events';
import * as path from 'node:path';
import Base, { made, register } from './lib/base.mjs';
export default class Machine extends Base { static instances = new Set(); #log = []; constructor(name) { super(name); Machine.instances.add(this); } step(n) { this.#log.push(n); this.emit('step', n); return this.#log.length; } get log() { return [...this.#log]; } }
export { Machine as Again, made as counted };
export const [one, { two = 2, ...rest }] = [new Machine('one'), { three: 3 }];
export var total = 0;
export function add(n) { total += n; return total; }
export async function wait() { await new Promise((resolve) => { wake = resolve; }); return total; }
let wake;
register('one', one);
one.on('step', add);
one.once('step', function (n) { console.log('once', n, this === one); });
let self;
wait().then((sum) => console.log('waited', sum));
let turn = 0;
async function next() {
  turn++;
  console.log(turn, one.step(turn), total, self.total, self.default === Machine, one.log.join(), made(), self.counted === made, Machine.instances.size, two, rest.three, one instanceof EventEmitter, path.basename('/a/b'));
  if (turn === 4) wake();
  if (turn === 5) { const { createHash } = await import('node:crypto'); console.log(typeof createHash, Object.keys(self).join()); }
  if (turn === 6) { add = () => 0; one.off('step', self.add); }
  if (turn < 9) setTimeout(next, 15);
}
import('./machine.mjs').then((found) => { self = found; next(); });
