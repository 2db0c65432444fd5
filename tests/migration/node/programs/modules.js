// Modules of require: shared state, cycles, caches, the main module.
const a = require('./lib/a.js');
const b = require('./lib/b.js');
const path = require('path');
const { format } = require('util');
let turn = 0;
const timer = setInterval(() => {
  turn++;
  a.add(turn);
  console.log(b.total(), a.state === b.state(), require.main === module, module.children.length,
    require('./lib/a.js') === a, path.basename(__filename), path.basename(module.filename),
    Object.keys(require.cache).map((name) => path.basename(name)).join(), format('%s-%d', 'x', turn),
    path.basename(require.resolve('./lib/b.js')), typeof require('./lib/late.js').when);
  if (turn === 10) clearInterval(timer);
}, 40);
