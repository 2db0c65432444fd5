// Timeouts, intervals and immediates keep their order, their arguments and what time is left.
const log = (...what) => console.log(...what);
for (let i = 12; i > 0; i--) setTimeout(log, 40 * i, 'timeout', i, { deep: [i] });
const cancelled = setTimeout(log, 3000, 'never');
const never = setTimeout(log, 60000, 'unreferenced');
never.unref();
const spent = setTimeout(() => {}, 1);
setTimeout(() => {
  clearTimeout(cancelled);
  let ticks = 0;
  const tick = setInterval((word) => {
    log(word, ++ticks, tick.hasRef());
    if (ticks === 5) { clearInterval(tick); setImmediate(spin, 'spin'); }
  }, 30, 'tick');
}, 500);
let spins = 0;
function spin(word) {
  if (++spins < 200) setImmediate(spin, word);
  else log('spun', spins, spent.hasRef(), never.hasRef(), word);
}
process.on('exit', (code) => log('exit', code, spins));
process.exitCode = 3;
