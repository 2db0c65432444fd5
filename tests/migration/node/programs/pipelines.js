// stream.pipeline and finished, by callback and by promise, objects in streams, cork, destroy, errors in mid-way.
const { Duplex, PassThrough, Readable, Transform, Writable, finished, pipeline } = require('stream');
const promises = require('stream/promises');
const wakes = [];
const tick = () => new Promise((resolve) => wakes.push(resolve));
const from = (name, count) => { let n = 0; return new Readable({ objectMode: true, read() { tick().then(() => this.push(n < count ? { name, n: n++ } : null)); } }); };
const into = (name) => new Writable({ objectMode: true, write(item, _, done) { console.log(name, JSON.stringify(item)); tick().then(() => done()); } });
class Doubling extends Transform { #seen = 0; constructor() { super({ objectMode: true }); } _transform(item, _, done) { this.#seen++; done(null, { ...item, twice: item.n * 2, seen: this.#seen }); } }
pipeline(from('a', 4), new Doubling(), into('A'), (error) => console.log('pipeline', error?.message ?? 'done'));
const failing = new Transform({ objectMode: true, transform(item, _, done) { if (item.n === 2) done(new Error('at two')); else done(null, item); } });
pipeline(from('b', 9), failing, into('B'), (error) => console.log('failing', error.message, failing.destroyed));
promises.pipeline(from('c', 3), into('C')).then(() => console.log('promised'));
const through = new PassThrough();
finished(through, (error) => console.log('finished', error?.code ?? 'well'));
through.on('data', (data) => console.log('through', String(data)));
const corked = new Writable({ write(d, _, done) { console.log('corked', String(d)); done(); }, writev(list, done) { console.log('all', list.map(({ chunk }) => String(chunk)).join()); done(); } });
corked.cork();
const both = new Duplex({ allowHalfOpen: false, read() {}, write(d, _, done) { this.push(`echo ${d}`); done(); } });
both.setEncoding('utf8');
both.on('data', (text) => console.log(typeof text, text));
both.on('close', () => console.log('closed'));
let turn = 0;
setTimeout(function next() {
  turn++;
  console.log('turn', turn);
  if (turn % 3 === 0 && turn < 10) { through.write(`t${turn}`); both.write('\u00e9'); }
  if (turn < 6) corked.write(`k${turn}`);
  if (turn === 8) process.nextTick(() => corked.uncork());
  if (turn === 10) through.end();
  if (turn === 12) both.end();
  for (const wake of wakes.splice(0)) wake();
  if (turn < 16) setTimeout(next, 12);
}, 12);
