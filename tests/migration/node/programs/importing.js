// import() in modules of require: relative to each file, before and after a move, also in classes.
const { basename } = require('path');
const { load } = require('./lib/loading.js');
const held = (name) => import(name);
class Loader { static async of(name) { return (await import(name)).default; } async again() { return (await import('./lib/counter.mjs')).count; } }
const loader = new Loader();
let turn = 0;
let shapes;
setTimeout(async function next() {
  turn++;
  console.log('turn', turn);
  if (turn === 2) shapes = await held('./lib/shapes.mjs');
  if (turn > 2) console.log((await held('./lib/shapes.mjs')) === shapes, shapes.kinds.size, shapes.area(turn));
  if (turn === 4) console.log(typeof await Loader.of('./lib/counter.mjs'), typeof (await load('increment')));
  if (turn > 5) console.log((await load('increment'))(), await loader.again(), basename(__filename));
  try { await held('./lib/nowhere.mjs'); } catch (error) { console.log(error.code); }
  if (turn < 8) setTimeout(next, 20);
}, 20);
