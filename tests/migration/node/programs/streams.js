// Streams of the program: piped through a Transform and a PassThrough, with data under way in each.
const { Readable, Writable, Transform, PassThrough, pipeline } = require('stream');
const { once } = require('events');
let n = 0, wake;
const source = new Readable({ highWaterMark: 30, read() { wake = () => { n++; this.push(n > 12 ? null : `item ${n}\n`); }; } });
const upper = new Transform({ transform(chunk, encoding, done) { done(null, String(chunk).toUpperCase()); }, flush(done) { this.push('END\n'); done(); } });
const sink = new Writable({ write(chunk, encoding, done) { console.log('sink', String(chunk).trim()); setTimeout(done, 3); }, final(done) { console.log('final'); done(); } });
source.pipe(upper).pipe(new PassThrough()).pipe(sink);
sink.on('finish', () => { console.log('finished'); clearInterval(timer); });
once(sink, 'finish').then((list) => console.log('once', list.length));
const timer = setInterval(() => { const w = wake; wake = undefined; w?.(); }, 15);
