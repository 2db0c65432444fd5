// EventTarget, Event, AbortController, signals that are combined or time out, and who waits for them.
const { once } = require('events');
const { setTimeout: sleep } = require('timers/promises');
class Bus extends EventTarget { constructor() { super(); this.sent = 0; } send(name, detail) { this.sent++; return this.dispatchEvent(new CustomEvent(name, { detail, cancelable: true })); } }
const bus = new Bus();
const plain = new EventTarget();
const controller = new AbortController();
const second = new AbortController();
bus.addEventListener('word', (event) => console.log('word', event.type, event.detail, event.target === bus, event.defaultPrevented));
bus.addEventListener('word', { handleEvent(event) { if (event.detail === 4) event.preventDefault(); } });
bus.addEventListener('word', () => console.log('only once'), { once: true });
bus.addEventListener('word', () => console.log('until aborted'), { signal: controller.signal });
plain.addEventListener('tick', function (event) { console.log('tick', this === plain, event.isTrusted); });
controller.signal.addEventListener('abort', () => console.log('aborted', controller.signal.reason.message));
second.signal.onabort = (event) => console.log('onabort', event.type, second.signal.reason);
sleep(60000, null, { signal: controller.signal }).catch((error) => console.log(error.name, error.code));
once(bus, 'word').then(([event]) => console.log('once', event.detail));
let turn = 0;
setTimeout(function next() {
  turn++;
  console.log('turn', turn, bus.send('word', turn), controller.signal.aborted, second.signal.aborted, bus.sent);
  plain.dispatchEvent(new Event('tick'));
  if (turn === 5) controller.abort(new Error('enough'));
  if (turn === 6) second.abort('why');
  if (turn === 7) { try { controller.signal.throwIfAborted(); } catch (error) { console.log('throws', error.message); } }
  if (turn < 9) setTimeout(next, 15);
}, 15);
