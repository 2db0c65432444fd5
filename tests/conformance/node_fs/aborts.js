'use strict';
// AbortSignal in readFile, writeFile and streams; promisified calls; the constants.
const fs = require('fs');
const util = require('util');

module.exports = {
  async 'readFile with a signal that was given already'({ settled, called }) {
    fs.writeFileSync('a', 'x');
    const signal = AbortSignal.abort();
    return [
      await settled(fs.promises.readFile('a', { signal })),
      await called(fs.readFile, 'a', { signal }),
    ];
  },
  async 'readFile ends by a signal'({ settled }) {
    fs.writeFileSync('a', Buffer.alloc(1 << 20));
    const controller = new AbortController();
    const reading = settled(fs.promises.readFile('a', { signal: controller.signal }));
    controller.abort();
    return reading;
  },
  async 'a signal with a reason'({ settled }) {
    fs.writeFileSync('a', 'x');
    const error = await settled(
      fs.promises.readFile('a', { signal: AbortSignal.abort(new Error('because')) }),
    );
    return [error, error.cause];
  },
  async 'writeFile with a signal'({ settled, called }) {
    const signal = AbortSignal.abort();
    return [
      await settled(fs.promises.writeFile('a', 'x', { signal })),
      await called(fs.writeFile, 'b', 'x', { signal }),
      fs.existsSync('a'),
      fs.existsSync('b'),
    ];
  },
  async 'a signal that never comes disturbs nothing'() {
    const { signal } = new AbortController();
    await fs.promises.writeFile('a', 'text', { signal });
    return fs.promises.readFile('a', { signal, encoding: 'utf8' });
  },
  async 'what is no signal'({ settled, tried }) {
    return [
      await settled(fs.promises.readFile('a', { signal: 'x' })),
      tried(() => fs.createReadStream('a', { signal: 'x' })),
    ];
  },
  async 'a read stream ends by a signal'() {
    fs.writeFileSync('a', 'x'.repeat(100_000));
    const controller = new AbortController();
    const stream = fs.createReadStream('a', { signal: controller.signal, highWaterMark: 10 });
    stream.once('data', () => controller.abort());
    return new Promise((resolve) => stream.on('error', resolve));
  },
  async 'a write stream ends by a signal'() {
    const controller = new AbortController();
    const stream = fs.createWriteStream('a', { signal: controller.signal });
    stream.once('open', () => controller.abort());
    return new Promise((resolve) => stream.on('error', resolve));
  },
  async 'util.promisify of fs'() {
    await util.promisify(fs.writeFile)('a', 'abc');
    const fd = await util.promisify(fs.open)('a', 'r+');
    const { bytesRead, buffer } = await util.promisify(fs.read)(fd, Buffer.alloc(2), 0, 2, 0);
    const { bytesWritten } = await util.promisify(fs.write)(fd, 'x');
    await util.promisify(fs.close)(fd);
    return [bytesRead, buffer, bytesWritten, await util.promisify(fs.exists)('a')];
  },
  'fs.promises is fs/promises'() {
    return [
      fs.promises === require('fs/promises'),
      require('node:fs') === fs,
      Object.keys(fs.promises).sort(),
      Object.keys(fs).sort(),
    ];
  },
  'the constants'() {
    return fs.constants;
  },
  'a function that a program replaces is used'() {
    const { readFileSync } = fs;
    fs.readFileSync = () => 'mine';
    const seen = fs.readFileSync('none');
    fs.readFileSync = readFileSync;
    return seen;
  },
  'an error says where in the program it happened'() {
    try {
      fs.readFileSync('none');
    } catch (error) {
      return [error.stack.includes('aborts.js'), error.stack.split('\n')[0]];
    }
    return 'no error';
  },
  async 'the order of callbacks'() {
    fs.writeFileSync('a', 'x');
    const seen = [];
    await new Promise((resolve) => {
      fs.stat('a', () => {
        seen.push('callback');
        resolve();
      });
      process.nextTick(() => seen.push('tick'));
      Promise.resolve().then(() => seen.push('microtask'));
      seen.push('now');
    });
    return seen;
  },
  async 'AsyncLocalStorage reaches callbacks'({ called }) {
    const { AsyncLocalStorage } = require('async_hooks');
    const storage = new AsyncLocalStorage();
    fs.writeFileSync('a', 'x');
    return storage.run('value', async () => [
      await new Promise((resolve) => fs.stat('a', () => resolve(storage.getStore()))),
      await fs.promises.stat('a').then(() => storage.getStore()),
      typeof (await called(fs.readFile, 'a')),
    ]);
  },
};
