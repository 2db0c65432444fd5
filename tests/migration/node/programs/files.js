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
reader.on('end', () => console.log('read to the end', sum, reader.bytesRead));
reader.pause();
let held = 0;
lines.on('line', (line) => { if (held++ % 10 === 0) { console.log('line', line.length); lines.pause(); } });
lines.on('close', () => console.log('no more lines', held));
let turn = 0;
setTimeout(function next() {
  turn++;
  const data = reader.read();
  if (data) sum += data.length;
  console.log('turn', turn, fs.readSync(fd, piece, 0, piece.length, null), piece.toString('utf8', 0, 12).split('\n')[0]);
  writer.write(`${turn} is written\n`);
  more.write(String(turn));
  lines.resume();
  // The next turn comes when nothing is being read or written.
  if (turn < 16) { setTimeout(next, 25); return; }
  fs.closeSync(fd);
  more.end();
  writer.end(() => {
    console.log(fs.readFileSync(path.join(directory, 'copy'), 'utf8').split('\n').join('|'), fs.readFileSync(name + '.more', 'utf8'), writer.bytesWritten);
    reader.resume();
    lines.resume();
    fs.rmSync(directory, { recursive: true });
  });
}, 25);
