// Streams of files in mid-read and mid-write, readline over a file, and a descriptor that is read by number.
const fs = require('fs');
const os = require('os');
const path = require('path');
const readline = require('readline');
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'moving-'));
const text = Array.from({ length: 40 }, (_, i) => `line ${i} \u00e9 ${'x'.repeat(i)}`).join('\n');
const name = path.join(directory, 'text');
fs.writeFileSync(name, text);
const reader = fs.createReadStream(name, { highWaterMark: 64, encoding: 'utf8', start: 10, end: 900 });
const writer = fs.createWriteStream(path.join(directory, 'copy'), { highWaterMark: 50 });
const more = fs.createWriteStream(name + '.more', { flags: 'a' });
const lines = readline.createInterface({ input: fs.createReadStream(name, { highWaterMark: 100 }), crlfDelay: Infinity });
const fd = fs.openSync(name, 'r');
const piece = Buffer.alloc(30);
let sum = 0;
reader.pause();
let held = 0;
let longest = 0;
// How far each has come at a turn is a matter of chance, so what they had is told at the end.
lines.on('line', (line) => { longest = Math.max(longest, line.length); if (held++ % 10 === 0) lines.pause(); });
const ends = [reader, lines].map((stream) => new Promise((resolve) => stream.on(stream === lines ? 'close' : 'end', resolve)));
let turn = 0;
setTimeout(function next() {
  turn++;
  sum += reader.read()?.length ?? 0;
  console.log('turn', turn, fs.readSync(fd, piece, 0, piece.length, null), piece.toString('utf8', 0, 12).split('\n')[0]);
  writer.write(`${turn} is written\n`);
  more.write(String(turn));
  if (turn % 4 === 0) lines.resume();
  if (turn < 16) { setTimeout(next, 25); return; }
  fs.closeSync(fd);
  const written = [writer, more].map((stream) => new Promise((resolve) => stream.end(resolve)));
  reader.on('data', (data) => { sum += data.length; });
  reader.resume();
  const timer = setInterval(() => lines.resume(), 5);
  Promise.all([...ends, ...written]).then(() => {
    clearInterval(timer);
    console.log('read', sum, reader.bytesRead, 'lines', held, longest);
    console.log(fs.readFileSync(path.join(directory, 'copy'), 'utf8').split('\n').join('|'), fs.readFileSync(name + '.more', 'utf8'), writer.bytesWritten);
    fs.rmSync(directory, { recursive: true });
  });
}, 25);
