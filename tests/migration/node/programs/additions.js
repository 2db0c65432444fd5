// What the program gives to built-in objects: functions, tables and plain values.
Array.prototype.last = function () { return this[this.length - 1]; };
Object.defineProperty(Error, '__types__', { value: { Mine: class Mine extends Error {} } });
Math.golden = 1.618;
Promise.seen = [];
String.registry = new Map([['a', 1]]);
Object.defineProperty(Number.prototype, 'twice', { get() { return this * 2; }, configurable: true });
Error.stackTraceLimit = 3;
const shared = String.registry;
let turn = 0;
setTimeout(function next() {
  turn++;
  Promise.seen.push(turn);
  Math.golden += turn;
  console.log(turn, [1, turn].last(), new Error.__types__.Mine('x') instanceof Error, Math.golden.toFixed(3), Promise.seen.length, shared === String.registry, shared.size, turn.twice);
  console.log(Error.stackTraceLimit, Object.keys(Math).join(), Object.getOwnPropertyNames(Promise).includes('seen'));
  if (turn < 9) setTimeout(next, 15);
}, 15);
