'use strict';
// createReadStream, createWriteStream and their options.
const fs = require('fs');
const { pipeline } = require('stream/promises');
const zlib = require('zlib');

const ended = (stream) =>
  new Promise((resolve) => {
    stream.on('error', (error) => resolve(error));
    stream.on('close', () => resolve('closed'));
  });
const written = async (stream, ...chunks) => {
  const end = ended(stream);
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  return end;
};
const read = (name) => fs.readFileSync(name, 'utf8');

module.exports = {
  async 'read a whole file'({ all }) {
    fs.writeFileSync('a', 'stream of text');
    const stream = fs.createReadStream('a');
    return [await all(stream), stream.bytesRead, stream.path, stream.pending, stream.destroyed];
  },
  async 'start, end and highWaterMark'({ all }) {
    fs.writeFileSync('a', '0123456789');
    const sizes = [];
    const stream = fs.createReadStream('a', { start: 2, end: 8, highWaterMark: 3 });
    stream.on('data', (chunk) => sizes.push(chunk.length));
    await ended(stream);
    return [
      sizes,
      await all(fs.createReadStream('a', { start: 8 })),
      await all(fs.createReadStream('a', { end: 1 })),
      await all(fs.createReadStream('a', { start: 20 })),
      await all(fs.createReadStream('a', { start: 3, end: 3 })),
    ];
  },
  async 'encoding splits no character'() {
    fs.writeFileSync('a', 'äöü€');
    const chunks = [];
    const stream = fs.createReadStream('a', { encoding: 'utf8', highWaterMark: 1 });
    stream.on('data', (chunk) => chunks.push(chunk));
    await ended(stream);
    return chunks;
  },
  async 'events of reading, in order'({ events }) {
    fs.writeFileSync('a', 'x');
    const stream = fs.createReadStream('a');
    stream.resume();
    return events(stream, 'open', 'ready', 'end', 'close');
  },
  async 'events of a file that is not there'({ events }) {
    const stream = fs.createReadStream('none');
    return [await events(stream, 'open', 'error', 'close'), stream.destroyed];
  },
  async 'events of writing, in order'({ events }) {
    const stream = fs.createWriteStream('a');
    const seen = events(stream, 'open', 'ready', 'finish', 'close');
    stream.end('x');
    return [await seen, stream.bytesWritten, stream.path, read('a')];
  },
  async 'events of writing where there is no directory'({ events }) {
    return events(fs.createWriteStream('no/where'), 'open', 'error', 'close');
  },
  async 'flags a, r+, wx and start'() {
    fs.writeFileSync('a', 'abcdef');
    return [
      await written(fs.createWriteStream('a', { flags: 'a' }), 'g'),
      read('a'),
      await written(fs.createWriteStream('a', { flags: 'r+', start: 2 }), 'XY'),
      read('a'),
      await written(fs.createWriteStream('a', { flags: 'wx' }), 'no'),
      await written(fs.createWriteStream('b', { flags: 'w', encoding: 'latin1' }), 'é'),
      fs.readFileSync('b', 'latin1'),
    ];
  },
  async 'mode and flush of a written stream'() {
    return [
      await written(fs.createWriteStream('a', { mode: 0o600, flush: true }), 'x'),
      (fs.statSync('a').mode & 0o777).toString(8),
    ];
  },
  async 'a descriptor as source and as target'({ all }) {
    fs.writeFileSync('a', 'abcdef');
    const fd = fs.openSync('a', 'r+');
    const text = await all(fs.createReadStream(null, { fd, start: 1, end: 3, autoClose: false }));
    const out = fs.createWriteStream('', { fd, start: 4 });
    return [text, await written(out, 'XY'), read('a')];
  },
  async 'a handle as source'({ all }) {
    fs.writeFileSync('a', 'abc');
    return all(fs.createReadStream('', { fd: await fs.promises.open('a') }));
  },
  async 'autoClose and emitClose'() {
    fs.writeFileSync('a', 'abc');
    const stream = fs.createReadStream('a', { autoClose: false });
    stream.resume();
    await new Promise((resolve) => stream.on('end', resolve));
    const open = fs.fstatSync(stream.fd).size;
    fs.closeSync(stream.fd);
    const quiet = fs.createReadStream('a', { emitClose: false });
    let closed = false;
    quiet
      .on('close', () => {
        closed = true;
      })
      .resume();
    await new Promise((resolve) => quiet.on('end', () => setTimeout(resolve, 50)));
    return [open, closed];
  },
  async 'many small writes'() {
    const stream = fs.createWriteStream('a');
    return [
      await written(stream, ...Array.from({ length: 300 }, (_, i) => `${i},`)),
      read('a').length,
      stream.bytesWritten,
    ];
  },
  async 'cork writes at once'() {
    const stream = fs.createWriteStream('a');
    stream.cork();
    for (const text of ['a', 'b', 'c']) stream.write(text);
    stream.uncork();
    return [await written(stream, 'd'), read('a')];
  },
  async 'pressure back: write says false, then drain'() {
    const stream = fs.createWriteStream('a', { highWaterMark: 4 });
    const full = stream.write('abcdefgh');
    await new Promise((resolve) => stream.once('drain', resolve));
    return [full, await written(stream), read('a')];
  },
  async 'a pipeline through gzip and back'() {
    fs.writeFileSync('a', 'text '.repeat(5000));
    await pipeline(fs.createReadStream('a'), zlib.createGzip(), fs.createWriteStream('a.gz'));
    await pipeline(fs.createReadStream('a.gz'), zlib.createGunzip(), fs.createWriteStream('b'));
    return [read('b') === read('a'), fs.statSync('a.gz').size < 1000];
  },
  async 'destroy ends early'() {
    fs.writeFileSync('a', 'x'.repeat(1 << 18));
    const stream = fs.createReadStream('a', { highWaterMark: 1024 });
    let chunks = 0;
    stream.on('data', () => {
      if (++chunks === 3) stream.destroy();
    });
    return [await ended(stream), chunks];
  },
  async 'destroy with an error'() {
    fs.writeFileSync('a', 'x');
    const stream = fs.createReadStream('a');
    stream.destroy(new Error('mine'));
    return ended(stream);
  },
  async 'functions of its own under `fs`'({ all }) {
    fs.writeFileSync('a', 'abc');
    const calls = [];
    const own = {
      open: (...args) => {
        calls.push('open');
        fs.open(...args);
      },
      read: (...args) => {
        calls.push('read');
        fs.read(...args);
      },
      close: (...args) => {
        calls.push('close');
        fs.close(...args);
      },
    };
    return [await all(fs.createReadStream('a', { fs: own })), calls];
  },
  'argument errors'({ tried }) {
    return [
      tried(() => fs.createReadStream('a', { start: 'x' })),
      tried(() => fs.createReadStream('a', { start: 5, end: 2 })),
      tried(() => fs.createReadStream('a', { end: NaN })),
      tried(() => fs.createReadStream(5)),
      tried(() => fs.createWriteStream('a', { start: 'x' })),
      tried(() => fs.createWriteStream('a', { encoding: 'none' })),
      tried(() => fs.createReadStream('a', 5)),
      tried(() => fs.createReadStream('a', { fd: 'x' })),
      tried(() => fs.createReadStream('a', { fs: { open: 1 } })),
      tried(() => fs.createWriteStream('a', { flush: 1 })),
    ];
  },
  async 'iteration line by line'() {
    fs.writeFileSync('a', 'one\ntwo\nthree\n');
    const lines = [];
    const readline = require('readline');
    for await (const line of readline.createInterface({ input: fs.createReadStream('a') }))
      lines.push(line);
    return lines;
  },
  async 'a large file at a time of 64 KiB'() {
    fs.writeFileSync('a', Buffer.alloc(300_000, 'y'));
    const sizes = [];
    const stream = fs.createReadStream('a');
    stream.on('data', (chunk) => sizes.push(chunk.length));
    return [await ended(stream), sizes];
  },
  async 'close with a callback'() {
    const stream = fs.createWriteStream('a');
    stream.write('abc');
    await new Promise((resolve) => stream.close(resolve));
    return [read('a'), stream.destroyed, stream.closed];
  },
  async 'reading what is being written'({ all }) {
    const out = fs.createWriteStream('a');
    await new Promise((resolve) => out.write('first ', resolve));
    const early = await all(fs.createReadStream('a'));
    await written(out, 'second');
    return [early, await all(fs.createReadStream('a'))];
  },
  async 'web streams of a file'() {
    const { Readable, Writable } = require('stream');
    fs.writeFileSync('a', 'web');
    await Readable.toWeb(fs.createReadStream('a')).pipeTo(
      Writable.toWeb(fs.createWriteStream('b')),
    );
    return read('b');
  },
};
