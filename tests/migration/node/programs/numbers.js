// Numbers at their edges, BigInt, typed arrays, dates, sparse arrays, symbols as keys, sorting, regular expressions with state.
const edges = [0, -0, NaN, Infinity, -Infinity, Number.MAX_SAFE_INTEGER, 5e-324, 2 ** 53];
let big = 2n ** 64n;
const views = [new Float32Array([1.5, NaN]), new BigInt64Array([-1n]), new Uint8ClampedArray([300, -5])];
const sticky = /(?<word>\w+)\s*/gy;
const text = 'some words in a row to be matched one by one';
const sparse = [1, , 3];
sparse[7] = 8;
const when = new Date(Date.UTC(2020, 1, 29));
const secret = Symbol('secret');
const keyed = { [secret]: 1, [Symbol.for('shared')]: 2, 7: 'seven', b: 1, a: 2 };
const invalid = new Date(NaN);
let turn = 0;
setTimeout(function next() {
  turn++;
  big = big * 3n + BigInt(turn);
  views[0][0] += 0.25;
  const match = sticky.exec(text);
  console.log(turn, edges.map((n) => (Object.is(n, -0) ? '-0' : n)).join(), big, views.map((view) => view.join('|')).join(), match?.groups.word, sticky.lastIndex);
  console.log(sparse.length, 1 in sparse, Object.keys(sparse).join(), when.toISOString(), isNaN(invalid), keyed[secret]++, keyed[Symbol.for('shared')], Object.keys(keyed).join(), [3, 20, 100].sort().join());
  when.setUTCDate(when.getUTCDate() + 1);
  if (turn < 10) setTimeout(next, 15);
}, 15);
