'use strict';
// Directories: readdir, opendir and Dir, glob.
const fs = require('fs');
const path = require('path');

function fill() {
  fs.mkdirSync('d/e/f', { recursive: true });
  fs.writeFileSync('d/b', '');
  fs.writeFileSync('d/a', '');
  fs.writeFileSync('d/e/c', '');
  fs.symlinkSync('b', 'd/l');
  fs.symlinkSync('e', 'd/m');
}
const kind = (entry) =>
  ['isFile', 'isDirectory', 'isSymbolicLink', 'isFIFO'].filter((name) => entry[name]()).join();
const shown = (entries) =>
  entries.map((entry) => [entry.name, kind(entry), entry.parentPath]).sort();

module.exports = {
  'readdir is sorted as natively'() {
    fill();
    for (const name of ['Z', 'ä', '10', '9', '.h']) fs.writeFileSync(`d/${name}`, '');
    return [
      fs.readdirSync('d'),
      fs.readdirSync('d', 'buffer'),
      fs.readdirSync('d/e', 'hex'),
      fs.readdirSync('d/e/f'),
    ];
  },
  'readdir with types'({ called }) {
    fill();
    return (async () => [
      shown(fs.readdirSync('d', { withFileTypes: true })),
      shown(await called(fs.readdir, 'd', { withFileTypes: true })),
      shown(await fs.promises.readdir('d', { withFileTypes: true })),
      fs.readdirSync('d', { withFileTypes: true, encoding: 'buffer' }).map((entry) => entry.name),
    ])();
  },
  'Dirent says where it is'() {
    fill();
    const entry = fs.readdirSync('d', { withFileTypes: true })[0];
    return [
      Object.keys(entry),
      entry.parentPath,
      entry.path,
      entry.constructor.name,
      entry instanceof fs.Dirent,
    ];
  },
  'readdir with all below'({ called }) {
    fill();
    const recursive = { recursive: true };
    return (async () => [
      fs.readdirSync('d', recursive).sort(),
      (await called(fs.readdir, 'd', recursive)).sort(),
      (await fs.promises.readdir('d', recursive)).sort(),
      shown(fs.readdirSync('d', { recursive: true, withFileTypes: true })),
      shown(await fs.promises.readdir('d', { recursive: true, withFileTypes: true })),
      shown(await called(fs.readdir, 'd', { recursive: true, withFileTypes: true })),
    ])();
  },
  'readdir errors'({ tried, called, settled }) {
    fs.writeFileSync('f', '');
    return (async () => [
      tried(() => fs.readdirSync('none')),
      tried(() => fs.readdirSync('f')),
      await called(fs.readdir, 'none'),
      await settled(fs.promises.readdir('f')),
      tried(() => fs.readdirSync('.', 'bad')),
      tried(() => fs.readdirSync(1)),
      tried(() => fs.readdirSync('.', { recursive: 1 })),
      tried(() => fs.readdirSync('none', { recursive: true })),
      await settled(fs.promises.readdir('none', { recursive: true, withFileTypes: true })),
      tried(() => fs.readdirSync('')),
    ])();
  },
  'readdir of the root and of links'() {
    fill();
    return [
      fs.readdirSync('/').includes('tmp'),
      fs.readdirSync('d/m'),
      fs.readdirSync('d/./e/..').length,
    ];
  },
  'opendir, read to the end, close'({ tried }) {
    fill();
    const dir = fs.opendirSync('d');
    const names = [];
    for (let entry = dir.readSync(); entry; entry = dir.readSync())
      names.push([entry.name, kind(entry), entry.parentPath]);
    return [
      dir.path,
      names.sort(),
      dir.readSync(),
      dir.closeSync(),
      tried(() => dir.closeSync()),
      tried(() => dir.readSync()),
    ];
  },
  async 'opendir by iteration closes itself'({ settled }) {
    fill();
    const names = [];
    const dir = await fs.promises.opendir('d', { bufferSize: 2 });
    for await (const entry of dir) names.push(entry.name);
    return [names.sort(), await settled(dir.close())];
  },
  async 'opendir with callbacks'({ called }) {
    fill();
    const dir = await called(fs.opendir, 'd');
    const entry = await called(dir.read.bind(dir));
    return [
      typeof entry.name,
      await called(dir.close.bind(dir)),
      await called(fs.opendir, 'none'),
      await called(fs.opendir, 'd/a'),
    ];
  },
  async 'leaving the iteration early closes'({ settled }) {
    fill();
    const dir = await fs.promises.opendir('d');
    for await (const entry of dir) {
      if (entry) break;
    }
    return settled(dir.read());
  },
  async 'opendir with all below'() {
    fill();
    const names = [];
    for await (const entry of await fs.promises.opendir('d', { recursive: true }))
      names.push(path.join(entry.parentPath, entry.name));
    return names.sort();
  },
  async 'opendir errors'({ tried, settled }) {
    fs.writeFileSync('f', '');
    return [
      tried(() => fs.opendirSync('none')),
      tried(() => fs.opendirSync('f')),
      await settled(fs.promises.opendir('none')),
      tried(() => fs.opendirSync('.', { bufferSize: 0 })),
      tried(() => fs.opendirSync('.', { bufferSize: 'x' })),
      tried(() => fs.opendirSync(1)),
      tried(() => fs.opendirSync('.', { encoding: 'bad' })),
    ];
  },
  'opendir with an encoding'() {
    fill();
    const dir = fs.opendirSync('d/e', { encoding: 'buffer' });
    const entry = dir.readSync();
    dir.closeSync();
    return Buffer.isBuffer(entry.name);
  },
  async 'reading of a Dir while another read is on'({ tried }) {
    fill();
    const dir = fs.opendirSync('d');
    const reading = dir.read();
    const answer = tried(() => dir.readSync());
    await reading;
    await dir.close();
    return answer;
  },
  'a directory of a thousand'() {
    fs.mkdirSync('d');
    const names = Array.from({ length: 60 }, (_, i) => `n${String(i).padStart(4, '0')}`);
    for (const name of names) fs.mkdirSync(`d/${name}`);
    const dir = fs.opendirSync('d', { bufferSize: 7 });
    let count = 0;
    while (dir.readSync()) count++;
    dir.closeSync();
    return [fs.readdirSync('d').join() === names.join(), count];
  },
  async 'glob, where there is one'({ settled }) {
    if (!fs.globSync) return 'not in this Node';
    fill();
    const found = [];
    for await (const name of fs.promises.glob('d/**/*')) found.push(name);
    return [
      fs.globSync('d/*').sort(),
      fs.globSync('**/c'),
      found.sort(),
      fs.globSync('*.none'),
      fs.globSync('d/*', { exclude: (name) => name === 'a' }).sort(),
      await settled(
        new Promise((resolve) =>
          fs.glob('d/{a,b}', (error, names) => resolve(error || names.sort())),
        ),
      ),
    ];
  },
};
