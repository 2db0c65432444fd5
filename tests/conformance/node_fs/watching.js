'use strict';
// watch, promises.watch, watchFile, unwatchFile. A result holds what must come, not how often:
// kernels and pollers put events together as they like.
const fs = require('fs');

const until = async (condition) => {
  while (!condition()) await new Promise((done) => setTimeout(done, 10));
};

// The events of a watcher until those that are wanted have come.
async function watched(target, options, wanted, change) {
  const seen = new Set();
  const watcher = fs.watch(target, options, (type, name) => seen.add(`${type} ${name}`));
  await new Promise((done) => setTimeout(done, 50));
  await change();
  await until(() => wanted.every((event) => seen.has(event)));
  watcher.close();
  return wanted;
}

module.exports = {
  'watch of a directory: a new file'() {
    return watched('.', {}, ['rename a'], () => fs.writeFileSync('a', 'x'));
  },
  'watch of a directory: a file that changes'() {
    fs.writeFileSync('a', 'x');
    return watched('.', {}, ['change a'], () => fs.appendFileSync('a', 'y'));
  },
  'watch of a directory: removal and rename'() {
    fs.writeFileSync('a', 'x');
    fs.writeFileSync('b', 'x');
    return watched('.', {}, ['rename a', 'rename b', 'rename c'], () => {
      fs.unlinkSync('a');
      fs.renameSync('b', 'c');
    });
  },
  'watch of a directory: a new directory'() {
    return watched('.', {}, ['rename d'], () => fs.mkdirSync('d'));
  },
  'watch of a file'() {
    fs.writeFileSync('a', 'x');
    return watched('a', {}, ['change a'], () => fs.appendFileSync('a', 'y'));
  },
  'watch of a file that is removed'() {
    fs.writeFileSync('a', 'x');
    return watched('a', {}, ['rename a'], () => fs.unlinkSync('a'));
  },
  'watch with an encoding'() {
    return watched('.', 'hex', ['rename 61'], () => fs.writeFileSync('a', 'x'));
  },
  'watch: closing says so'({ events }) {
    const watcher = fs.watch('.');
    const seen = events(watcher, 'close');
    watcher.close();
    watcher.close();
    return seen;
  },
  'watch: errors'({ tried }) {
    return [
      tried(() => fs.watch('none')),
      tried(() => fs.watch(1)),
      tried(() => fs.watch('.', { persistent: 1 })),
      tried(() => fs.watch('.', 'no such')),
      tried(() => fs.watch('a\0')),
    ];
  },
  async 'watch ends by an AbortSignal'({ events }) {
    const controller = new AbortController();
    const watcher = fs.watch('.', { signal: controller.signal });
    const seen = events(watcher, 'close');
    controller.abort();
    return seen;
  },
  async 'watch: ref and unref'() {
    const watcher = fs.watch('.', { persistent: false });
    const same = [watcher.ref() === watcher, watcher.unref() === watcher, watcher.constructor.name];
    watcher.close();
    return same;
  },
  'watch with all below'() {
    fs.mkdirSync('d');
    return watched('.', { recursive: true }, ['rename d/x'], () => fs.writeFileSync('d/x', ''));
  },
  async 'promises.watch'({ settled }) {
    const controller = new AbortController();
    const seen = [];
    const watching = (async () => {
      for await (const { eventType, filename } of fs.promises.watch('.', {
        signal: controller.signal,
      })) {
        seen.push(`${eventType} ${filename}`);
        if (seen.includes('rename a')) controller.abort();
      }
    })();
    await new Promise((done) => setTimeout(done, 50));
    fs.writeFileSync('a', 'x');
    return [await settled(watching), seen.includes('rename a')];
  },
  async 'promises.watch: errors'({ settled }) {
    const watch = async (...args) => {
      for await (const event of fs.promises.watch(...args)) return event;
    };
    return [
      await settled(watch('none')),
      await settled(watch(1)),
      await settled(watch('.', { signal: 1 })),
      await settled(watch('.', { signal: AbortSignal.abort() })),
    ];
  },
  async 'watchFile tells of a change'() {
    fs.writeFileSync('a', 'x');
    fs.utimesSync('a', 1, 1);
    const sizes = [];
    const watcher = fs.watchFile('a', { interval: 20 }, (now, before) =>
      sizes.push([before.size, now.size]),
    );
    await new Promise((done) => setTimeout(done, 100));
    fs.appendFileSync('a', 'yz');
    await until(() => sizes.length);
    fs.unwatchFile('a');
    return [sizes[0], watcher.constructor.name];
  },
  async 'watchFile tells of a file that comes and one that goes'() {
    const seen = [];
    fs.watchFile('a', { interval: 20 }, (now, before) =>
      seen.push([before.mtimeMs > 0, now.mtimeMs > 0]),
    );
    await until(() => seen.length === 1);
    fs.writeFileSync('a', '');
    await until(() => seen.length === 2);
    fs.unlinkSync('a');
    await until(() => seen.length === 3);
    fs.unwatchFile('a');
    return seen;
  },
  async 'watchFile with BigInt stats'() {
    fs.writeFileSync('a', 'x');
    const types = new Promise((resolve) => {
      fs.watchFile('a', { interval: 20, bigint: true }, (now, before) =>
        resolve([typeof now.size, before.size]),
      );
    });
    await new Promise((done) => setTimeout(done, 100));
    fs.appendFileSync('a', 'y');
    const result = await types;
    fs.unwatchFile('a');
    return result;
  },
  async 'unwatchFile of one listener leaves the other'() {
    fs.writeFileSync('a', 'x');
    const seen = [];
    const one = () => seen.push('one');
    fs.watchFile('a', { interval: 20 }, one);
    fs.watchFile('a', { interval: 20 }, () => seen.push('two'));
    fs.unwatchFile('a', one);
    await new Promise((done) => setTimeout(done, 100));
    fs.appendFileSync('a', 'y');
    await until(() => seen.length);
    fs.unwatchFile('a');
    return seen;
  },
  'watchFile: argument errors'({ tried }) {
    return [
      tried(() => fs.watchFile('a')),
      tried(() => fs.watchFile(1, () => {})),
      tried(() => fs.watchFile('a', {}, 'x')),
      tried(() => fs.unwatchFile('none')),
      tried(() => fs.watchFile('a', { interval: -1 }, () => {})),
      fs.unwatchFile('a'),
    ];
  },
};
