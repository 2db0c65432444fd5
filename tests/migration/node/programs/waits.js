// What Node waits with: timers/promises, util.promisify, events.once and on, callbacks of util, deprecate.
const { EventEmitter, once } = require('events');
const { setTimeout: sleep, setImmediate: soon, setInterval: every } = require('timers/promises');
const util = require('util');
const emitter = new EventEmitter();
const later = util.promisify((value, done) => { pending.push(() => done(value === 'bad' ? new Error('bad') : null, value)); });
const old = util.promisify(setTimeout);
const called = util.callbackify(async (value) => { await once(emitter, 'go'); return value * 2; });
const pending = [];
const warn = util.deprecate((x) => x + 1, 'never shown', 'DEP0');
process.noDeprecation = true;
once(emitter, 'go').then(([what, when]) => console.log('once', what, when));
once(emitter, 'never').catch((error) => console.log('once failed', error.message));
called(21, (error, value) => console.log('called', error, value));
(async () => {
  console.log(await sleep(60, 'slept'));
  console.log(await old(40, 'old'));
  setTimeout(() => emitter.emit('go', 'gone', 4), 30);
  console.log(await once(emitter, 'go'));
  console.log(await later('good'));
  try { await later('bad'); } catch (error) { console.log(error.message); }
  await soon();
  console.log('soon', warn(1));
  for (const n of [1, 2, 3]) console.log(n, await sleep(15, `sleep ${n}`));
  setTimeout(() => emitter.emit('error', new Error('emitted')), 20);
  await once(emitter, 'never').catch((error) => console.log('again', error.message));
  console.log('end');
  clearInterval(timer);
})();
const timer = setInterval(() => pending.shift()?.(), 20);
