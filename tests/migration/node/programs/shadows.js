// Suspended functions with several variables of one name: in blocks, loops and cases, over parameters.
const wakes = [];
const tick = () => new Promise((resolve) => wakes.push(resolve));
async function blocks(x) {
  for (let i = 0; i < 3; i++) {
    const x = i * 10;
    { const i = `inner ${x}`; await tick(); console.log('blocks', x, i); }
    console.log('outer', x, i);
  }
  try { throw x; } catch (y) { { let x = `${y} deep`; await tick(); x += '!'; console.log('caught', x, y); } console.log(x, y); }
  return x;
}
function* steps(n) {
  for (const n of ['a', 'b']) { let m = n; for (const n of [1, 2]) { yield `${m}${n}`; m += n; } yield n; }
  return n;
}
async function choose(kind) {
  switch (kind) { case 1: { const kind = 'one'; await tick(); console.log(kind); } default: { let kind = 'rest'; await tick(); console.log(kind); } }
  return kind;
}
blocks('x').then((x) => console.log('result', x));
choose(1).then((kind) => console.log('chosen', kind));
const generator = steps('end');
let turn = 0;
setTimeout(function next() {
  turn++;
  console.log(turn, JSON.stringify(generator.next()));
  for (const wake of wakes.splice(0)) wake();
  if (turn < 10) setTimeout(next, 15);
}, 15);
