// Maps and sets changed while iterators are under way, nested, with all kinds of keys.
const m = new Map(); for (let i = 0; i < 20; i++) m.set(i % 2 ? { i } : `k${i}`, i); const s = new Set(m.keys()); const live = m.entries(), keys = s.values(), old = m.keys(); live.next(); keys.next(); for (const _ of old);
const nested = new Map([['in', new Map([['in', new Set([[1], [2]])]])]]); m.set('self', m); const weak = new WeakMap(), objects = [{}, {}, {}]; objects.forEach((o, i) => weak.set(o, { i, o })); const group = Object.groupBy ? 1 : 1; const array = [5, 4, 3, 2, 1]; const walk = array.values(), pairs = array.entries(); walk.next(); pairs.next();
const chars = 'x'; const graph = { nodes: objects, edges: new Map(objects.map((o, i) => [o, objects[(i + 1) % 3]])) };
function step(n) { if (n < 6) m.set(`new${n}`, n); if (n === 3) m.delete('k4'); array.push(n * 10); const [k, v] = live.next().value ?? []; console.log(typeof k, v, typeof keys.next().value, old.next().done, walk.next().value, pairs.next().value?.join(), m.size, m.get('self') === m, [...nested.get('in').get('in')].join(), weak.get(objects[n % 3]).i, graph.edges.get(graph.edges.get(graph.edges.get(objects[0]))) === objects[0], chars.length, group); array.sort(); }
let turn = 0;
const timer = setInterval(() => { turn++; step(turn); if (turn === 8) clearInterval(timer); }, 25);
