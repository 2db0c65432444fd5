// Emitters: on, once, prepended, errors, symbols as events, listeners that remove themselves.
const EventEmitter = require('events');
const { once } = require('events');
class Feed extends EventEmitter {
  constructor(name) { super(); this.name = name; this.sent = 0; }
  send(what) { this.sent++; return this.emit('data', what, this.sent); }
}
const feed = new Feed('f');
const sym = Symbol('event');
feed.on('data', function(what, n) { console.log(this.name, what, n); });
feed.once('data', (what) => console.log('once', what));
feed.once('later', (what) => console.log('later, once', what));
feed.prependListener('data', () => console.log('before'));
feed.on(sym, () => console.log('symbol'));
feed.on('error', (error) => console.log('error', error.message));
feed.setMaxListeners(20);
const plain = new EventEmitter();
let turn = 0;
const timer = setInterval(() => {
  turn++;
  feed.send(turn);
  if (turn === 8) { feed.emit('later', 1); feed.emit('later', 2); feed.emit(sym); feed.emit('error', new Error('e')); }
  console.log(feed.listenerCount('data'), feed.listenerCount('later'), feed.eventNames().map(String).join(),
    feed.getMaxListeners(), plain.listenerCount('x'));
  if (turn === 10) { clearInterval(timer); feed.removeAllListeners(); }
}, 40);
