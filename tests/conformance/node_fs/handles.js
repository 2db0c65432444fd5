'use strict';
// FileHandle, of `fs/promises`.
const fs = require('fs');
const { open } = fs.promises;

async function using(name, flags, body) {
  const handle = await open(name, flags);
  try {
    return await body(handle);
  } finally {
    await handle.close();
  }
}

module.exports = {
  async 'open and close'({ settled }) {
    const handle = await open('a', 'w');
    const fd = handle.fd;
    await handle.close();
    return [
      typeof fd,
      handle.fd,
      await settled(handle.close()),
      await settled(handle.stat()),
      await settled(handle.write('x')),
    ];
  },
  async 'open errors'({ settled }) {
    return [
      await settled(open('none')),
      await settled(open('no/where', 'w')),
      await settled(open('a\0')),
      await settled(open(1)),
      await settled(open('a', 'zz')),
      await settled(open('.', 'w')),
    ];
  },
  async 'a handle says when it closes'({ events }) {
    const handle = await open('a', 'w');
    const seen = events(handle, 'close');
    await handle.close();
    return seen;
  },
  async 'write: string, buffer, position, options'() {
    return using('a', 'w+', async (handle) => {
      const one = await handle.write('hello');
      const two = await handle.write(Buffer.from('HELLO'), 1, 2, 0);
      const three = await handle.write(Buffer.from('xyz'), { length: 2, position: 7 });
      const four = await handle.write('é', 9, 'latin1');
      return [one, two.bytesWritten, three.bytesWritten, four, fs.readFileSync('a', 'latin1')];
    });
  },
  async 'read: all its forms'() {
    fs.writeFileSync('a', 'abcdefgh');
    return using('a', 'r', async (handle) => {
      const buffer = Buffer.alloc(4, '.');
      const found = [(await handle.read(buffer, 0, 4, 0)).bytesRead, `${buffer}`];
      found.push((await handle.read(buffer, { position: 6 })).bytesRead, `${buffer}`);
      found.push((await handle.read({ buffer, length: 1 })).bytesRead, `${buffer}`);
      const own = await handle.read();
      found.push(own.bytesRead, own.buffer.length, own.buffer.subarray(0, own.bytesRead));
      found.push((await handle.read(buffer, 0, 4, null)).bytesRead);
      found.push((await handle.read(buffer, 0, 1, 3n)).bytesRead, `${buffer}`);
      return found;
    });
  },
  async 'read and write: argument errors'({ settled }) {
    return using('a', 'w+', async (handle) => [
      await settled(handle.read('x')),
      await settled(handle.read(Buffer.alloc(0))),
      await settled(handle.read(Buffer.alloc(2), 3)),
      await settled(handle.read(Buffer.alloc(2), 0, 3)),
      await settled(handle.write(5)),
      await settled(handle.write(Buffer.alloc(2), 3)),
      await settled(handle.write('x', 0, 'none')),
      await settled(handle.writev('x')),
      await settled(handle.truncate('x')),
      await settled(handle.chmod('x')),
      await settled(handle.read(Buffer.alloc(2), 0, 1, 'x')),
    ]);
  },
  async 'readFile and writeFile continue where it stands'() {
    return using('a', 'w+', async (handle) => {
      await handle.writeFile('one');
      await handle.writeFile('two');
      const rest = await handle.readFile('utf8');
      await handle.read(Buffer.alloc(1), 0, 1, 0);
      return [rest, fs.readFileSync('a', 'utf8'), (await handle.readFile()).length];
    });
  },
  async appendFile() {
    return using('a', 'a', async (handle) => {
      await handle.appendFile('one');
      await handle.appendFile(Buffer.from('two'), { flush: true });
      return fs.readFileSync('a', 'utf8');
    });
  },
  async 'stat, truncate, chmod, chown, utimes, sync, datasync'() {
    fs.writeFileSync('a', 'abcdef');
    return using('a', 'r+', async (handle) => {
      const results = [
        await handle.truncate(3),
        await handle.chmod(0o600),
        await handle.utimes(1, 2),
        await handle.chown(process.getuid(), process.getgid()),
        await handle.sync(),
        await handle.datasync(),
      ];
      const stats = await handle.stat();
      const big = await handle.stat({ bigint: true });
      return [results, stats.size, stats.mtimeMs, (stats.mode & 0o777).toString(8), big.size];
    });
  },
  async 'errors of calls name the call'({ settled }) {
    fs.writeFileSync('a', 'abc');
    return [
      await using('a', 'r', async (handle) => [
        await settled(handle.write('x')),
        await settled(handle.truncate(1)),
        await settled(handle.writeFile('x')),
        await settled(handle.appendFile('x')),
      ]),
      await using('a', 'w', async (handle) => [
        await settled(handle.read(Buffer.alloc(1))),
        await settled(handle.readFile()),
      ]),
    ];
  },
  async readLines() {
    fs.writeFileSync('a', 'one\ntwo\r\nthree');
    const lines = [];
    const handle = await open('a');
    for await (const line of handle.readLines()) lines.push(line);
    return lines;
  },
  async readableWebStream() {
    fs.writeFileSync('a', 'web text');
    const handle = await open('a');
    const chunks = [];
    for await (const chunk of handle.readableWebStream({ type: 'bytes' }))
      chunks.push(Buffer.from(chunk));
    await handle.close();
    return Buffer.concat(chunks);
  },
  async 'createReadStream and createWriteStream'({ all }) {
    const out = (await open('a', 'w')).createWriteStream();
    await new Promise((resolve) => out.end('through a stream', resolve));
    await new Promise((resolve) => (out.closed ? resolve() : out.once('close', resolve)));
    const input = (await open('a')).createReadStream({ start: 8, end: 10, encoding: 'utf8' });
    return [await all(input), input.path, input.bytesRead];
  },
  async 'a stream may leave its handle open'({ all }) {
    fs.writeFileSync('a', 'abc');
    const handle = await open('a');
    const text = await all(handle.createReadStream({ autoClose: false }));
    const still = (await handle.stat()).size;
    await handle.close();
    return [text, still];
  },
  async 'close waits for what was begun'() {
    const handle = await open('a', 'w');
    const writing = handle.write('begun before');
    await Promise.all([writing, handle.close()]);
    return fs.readFileSync('a', 'utf8');
  },
  async 'its descriptor works with the other calls'() {
    return using('a', 'w+', async (handle) => {
      fs.writeSync(handle.fd, 'by number');
      return [
        fs.fstatSync(handle.fd).size,
        await new Promise((resolve) => fs.fstat(handle.fd, (_, x) => resolve(x.size))),
      ];
    });
  },
  async 'disposal closes'() {
    if (!Symbol.asyncDispose) return 'not in this Node';
    const handle = await open('a', 'w');
    await handle[Symbol.asyncDispose]();
    return handle.fd;
  },
  async 'a directory as handle'({ settled }) {
    return using('.', 'r', async (handle) => [
      (await handle.stat()).isDirectory(),
      await settled(handle.read(Buffer.alloc(1))),
      await settled(handle.readFile()),
    ]);
  },
  async 'parallel reads at positions'() {
    fs.writeFileSync('a', '0123456789');
    return using('a', 'r', (handle) =>
      Promise.all(
        Array.from({ length: 10 }, async (_, i) => {
          const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, i);
          return `${buffer}`;
        }),
      ),
    );
  },
};
