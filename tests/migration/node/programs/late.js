// Modules that are loaded after a move, JSON, a module cache that the program edits, functions from texts.
const path = require('path');
const vm = require('vm');
let a;
const add = new Function('a', 'b', 'return a + b');
const scripted = vm.runInThisContext('(function (list) { return list.map((x) => x * 2); })');
const evaluated = (0, eval)('(x) => x ** 2');
let turn = 0;
setTimeout(function next() {
  turn++;
  if (turn === 3) a = require('./lib/a.js');
  if (turn === 5) { delete require.cache[require.resolve('./lib/a.js')]; console.log(require('./lib/a.js') === a); }
  if (turn === 7) console.log(require('util').inspect(new Map([[{ a: 1 }, [turn]]])), require('os').EOL.length);
  console.log(turn, add(turn, 1), scripted([turn]).join(), evaluated(turn), typeof a, Object.keys(require.cache).length, path.extname(__filename), module.paths.length > 0);
  if (turn < 9) setTimeout(next, 15);
}, 15);
