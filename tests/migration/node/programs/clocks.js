// Clocks go on and never back; counts, timers and groups of the console are kept.
const { performance: clock } = require('perf_hooks');
let [last, first] = [performance.now(), process.hrtime.bigint()];
let high = process.hrtime();
const started = performance.timeOrigin;
let turn = 0;
console.time('never shown');
console.group('group');
setTimeout(function next() {
  turn++;
  const now = performance.now();
  const fine = process.hrtime.bigint();
  const [seconds] = process.hrtime(high);
  console.count();
  console.count('named');
  if (turn === 3) { console.groupEnd(); console.group('again'); }
  if (turn === 5) console.countReset('named');
  // A moment of a minute would be too long for any move.
  console.log(turn, now >= last, fine >= first, seconds >= 0 && seconds < 60, now - last < 60000, clock === performance, Math.abs(performance.timeOrigin - started) < 60000, process.uptime() < 60);
  [last, first] = [now, fine];
  high = process.hrtime();
  if (turn < 9) setTimeout(next, 15);
}, 15);
