// Proxies with state in their handlers, Reflect, and traps that count.
const log = [];
class Handler { constructor() { this.n = 0; } get(t, k, r) { this.n++; return Reflect.get(t, k, r); } has(t, k) { log.push(k); return k in t; } ownKeys(t) { return [...Reflect.ownKeys(t), 'virtual']; } getOwnPropertyDescriptor(t, k) { return k === 'virtual' ? { value: 1, enumerable: true, configurable: true } : Reflect.getOwnPropertyDescriptor(t, k); } }
const handler = new Handler();
const target = { a: 1, get b() { return this.a + 1; } };
const p = new Proxy(target, handler);
const callable = new Proxy((x) => x * 2, { apply: (f, self, args) => f(...args) + 1 });
const list = new Proxy([1, 2, 3], {});
const child = Object.create(p, { own: { value: 'own', enumerable: true } });
function step(n) { target.a = n; console.log(p.a, p.b, handler.n, 'x' in p, Object.keys(p).join(), callable(n), list.push(n), Array.isArray(list), child.a, child.own, log.length); }
let turn = 0;
const timer = setInterval(() => { turn++; step(turn); if (turn === 8) clearInterval(timer); }, 25);
