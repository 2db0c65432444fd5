// commander, eventemitter3, redux.
const { Command, Option } = require('commander');
const EventEmitter = require('eventemitter3');
const { createStore, combineReducers } = require('redux');
const program = new Command('tool').exitOverride().option('-v, --verbose').addOption(new Option('-c, --color <name>').choices(['red', 'blue']).default('red'));
program.command('add <n...>').option('-x <k>', 'times', Number, 1).action((list, options) => console.log('add', list.map(Number).reduce((a, b) => a + b) * options.x));
const bus = new EventEmitter();
bus.on('turn', function (n) { this.seen = (this.seen ?? 0) + n; }, bus);
bus.once('turn', (n) => console.log('once', n));
const store = createStore(combineReducers({ sum: (sum = 0, { type, n }) => (type === 'add' ? sum + n : sum), log: (log = [], { type }) => [...log, type.slice(0, 3)] }));
store.subscribe(() => console.log('store', JSON.stringify(store.getState().sum), store.getState().log.length));
let turn = 0;
setTimeout(async function next() {
  turn++;
  await program.parseAsync(['add', String(turn), '4', '-x', '2'], { from: 'user' });
  bus.emit('turn', turn);
  store.dispatch({ type: 'add', n: turn });
  console.log(turn, program.opts().color, program.helpInformation().length, bus.seen, bus.listenerCount('turn'));
  if (turn < 9) setTimeout(next, 15);
}, 15);
