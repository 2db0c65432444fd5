'use strict';
// Corners of fs: odd names, dots and slashes, devices, every form of a call's arguments.
const fs = require('fs');
const os = require('os');
const path = require('path');
const { pathToFileURL } = require('url');

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_NOATIME } = fs.constants;
const read = (name) => fs.readFileSync(name, 'utf8');
const code = (result) => (result instanceof Error ? result.code : result);

module.exports = {
  'rmdir, mkdir and rename of dots'({ tried }) {
    fs.mkdirSync('d/e', { recursive: true });
    return [
      ['rmdirSync', '.'],
      ['rmdirSync', 'd/.'],
      ['rmdirSync', 'd/e/..'],
      ['mkdirSync', '.'],
      ['mkdirSync', '..'],
      ['mkdirSync', 'd/.'],
      ['renameSync', '.', 'x'],
      ['renameSync', 'd', 'd/.'],
      ['unlinkSync', '.'],
      ['unlinkSync', 'd/'],
    ].map(([name, ...args]) => [name, args, code(tried(() => fs[name](...args)))]);
  },
  'links with a slash behind them'({ tried }) {
    fs.mkdirSync('d');
    fs.writeFileSync('f', 'x');
    fs.symlinkSync('d', 'ld');
    fs.symlinkSync('f', 'lf');
    fs.symlinkSync('none', 'ln');
    return [
      ['lstatSync', 'ld/'],
      ['lstatSync', 'lf/'],
      ['unlinkSync', 'ld/'],
      ['rmdirSync', 'ld'],
      ['rmdirSync', 'ld/'],
      ['readlinkSync', 'ld/'],
      ['mkdirSync', 'ln'],
      ['mkdirSync', 'lf/'],
      ['readdirSync', 'ld/'],
      ['statSync', 'ln'],
      ['renameSync', 'ln', 'moved'],
      ['readlinkSync', 'moved'],
      ['linkSync', 'lf', 'hard'],
      ['readlinkSync', 'hard'],
    ].map(([name, ...args]) => {
      const result = code(tried(() => fs[name](...args)));
      return [name, args, result instanceof fs.Stats ? result.isDirectory() : result];
    });
  },
  'opening what a link names that leads to nothing'({ tried }) {
    fs.symlinkSync('target', 'l');
    fs.symlinkSync('no/where', 'm');
    const opened = (name, flags) =>
      code(
        tried(() => {
          fs.closeSync(fs.openSync(name, flags));
          return 'opened';
        }),
      );
    return [
      opened('l', 'r'),
      opened('l', 'wx'),
      opened('l', 'w'),
      fs.existsSync('target'),
      opened('m', 'w'),
      opened('l', O_RDWR | O_NOFOLLOW),
      opened('l', O_CREAT | O_EXCL | O_WRONLY),
      opened('target', O_RDONLY | O_NOATIME),
    ];
  },
  'a path of more than 4096 bytes'({ tried }) {
    const long = 'd/'.repeat(2100);
    return [
      'openSync',
      'statSync',
      'mkdirSync',
      'unlinkSync',
      'readdirSync',
      'readlinkSync',
      'accessSync',
      'rmdirSync',
      'realpathSync',
      'truncateSync',
      'chmodSync',
      'readFileSync',
    ].map((name) => [name, code(tried(() => fs[name](long, 0)))]);
  },
  'a path of many parts'() {
    const deep = Array.from({ length: 60 }, (_, i) => `part${i}`).join('/');
    fs.mkdirSync(deep, { recursive: true });
    fs.writeFileSync(`${deep}/f`, 'deep');
    return [
      read(`${deep}/f`),
      fs.realpathSync(deep) === path.resolve(deep),
      fs.readdirSync('.', { recursive: true }).length,
    ];
  },
  'a working directory that was removed'({ tried }) {
    fs.mkdirSync('d');
    const before = process.cwd();
    process.chdir('d');
    fs.rmdirSync(`${before}/d`);
    const found = [
      ['writeFileSync', 'a', 'x'],
      ['statSync', 'a'],
      ['mkdirSync', 'b'],
      ['readdirSync', 'none'],
    ].map(([name, ...args]) => code(tried(() => fs[name](...args))));
    process.chdir(before);
    return found;
  },
  'names in UTF-16 and with a zero'({ tried }) {
    const name = Buffer.from('\u4e2d\u6587', 'utf16le');
    fs.writeFileSync(name, 'x');
    return [
      fs.readdirSync('.', 'buffer').map(String).length,
      fs.readdirSync('.', { encoding: 'utf16le' })[0].length,
      tried(() => fs.writeFileSync(Buffer.from('a\0b'), 'x')),
      tried(() => fs.statSync(pathToFileURL('x').href.concat('%00'))),
    ].map(code);
  },
  'file URLs: which are none'({ tried }) {
    fs.writeFileSync('a b', 'x');
    return [
      read(pathToFileURL('a b')),
      tried(() => fs.readFileSync(new URL('http://host/a'))),
      tried(() => fs.readFileSync(new URL('file://host/a'))),
      tried(() => fs.readFileSync(new URL('file:///a%2fb'))),
      fs.existsSync(new URL('http://host/a')),
      tried(() => fs.mkdirSync({ href: 'file:///x' })),
    ];
  },
  'lone surrogates in names'() {
    fs.writeFileSync('a\ud800b', 'x');
    return [fs.readdirSync('.').length, fs.readdirSync('.')[0].length, fs.existsSync('a\ufffdb')];
  },
  '/dev/full is full'({ tried, called, settled }) {
    return (async () => [
      tried(() => fs.writeFileSync('/dev/full', 'x')),
      await called(fs.writeFile, '/dev/full', 'x'),
      await settled(fs.promises.writeFile('/dev/full', 'x')),
      await new Promise((resolve) =>
        fs.createWriteStream('/dev/full').on('error', resolve).end('x'),
      ),
    ])();
  },
  '/dev/zero and /dev/null'() {
    const fd = fs.openSync('/dev/zero', 'r');
    const buffer = Buffer.alloc(5, 'x');
    const counts = [fs.readSync(fd, buffer, 0, 5, null)];
    fs.closeSync(fd);
    const sink = fs.openSync('/dev/null', 'w');
    counts.push(fs.writeSync(sink, 'anything'));
    fs.closeSync(sink);
    return [counts, buffer.toString('hex'), fs.statSync('/dev/zero').isCharacterDevice()];
  },
  'every form of fs.read'({ called }) {
    fs.writeFileSync('a', 'abcdefghij');
    const fd = fs.openSync('a', 'r');
    return (async () => {
      const buffer = Buffer.alloc(3);
      const found = [];
      for (const args of [
        [fd],
        [fd, { buffer, position: 2 }],
        [fd, buffer],
        [fd, buffer, { offset: 1, length: 1, position: 5 }],
        [fd, buffer, 0, 2, 7n],
        [fd, new Uint8Array(2), 0, 2, 0],
        [fd, new DataView(new ArrayBuffer(2)), 0, 2, 1],
        [fd, buffer, 0, 0, 0],
        [fd, buffer, null],
      ]) {
        const [count, into] = await called(fs.read, ...args);
        found.push([
          count,
          Buffer.from(into.buffer, into.byteOffset, Math.min(count, 9)).toString(),
        ]);
      }
      fs.closeSync(fd);
      return found;
    })();
  },
  'every form of fs.write'({ called }) {
    const fd = fs.openSync('a', 'w+');
    return (async () => {
      const buffer = Buffer.from('ABCDEF');
      const found = [];
      for (const args of [
        [fd, buffer],
        [fd, buffer, 4],
        [fd, buffer, 1, 2],
        [fd, buffer, 1, 2, 0],
        [fd, buffer, { offset: 5 }],
        [fd, 'text'],
        [fd, 'at', 2],
        [fd, 'c3a9', null, 'hex'],
        [fd, ''],
        [fd, new Uint16Array([0x4142])],
      ]) {
        const [count] = await called(fs.write, ...args);
        found.push(count);
      }
      found.push(
        fs.writeSync(fd, buffer, { length: 1 }),
        fs.writeSync(fd, buffer, null),
        fs.writeSync(fd, 'x', 0),
      );
      fs.closeSync(fd);
      return [found, fs.readFileSync('a', 'latin1')];
    })();
  },
  'argument errors come at once, also with callbacks'({ tried }) {
    const fd = fs.openSync('a', 'w+');
    const done = () => {};
    const found = [
      tried(() => fs.read(fd, Buffer.alloc(1), 0, 5, 0, done)),
      tried(() => fs.write(fd, {}, done)),
      tried(() => fs.readFile('a', 'bad', done)),
      tried(() => fs.stat(5, done)),
      tried(() => fs.access('a', 99, done)),
      tried(() => fs.access('a', '4', done)),
      tried(() => fs.copyFile('a', 'b', 8, done)),
      tried(() => fs.mkdir('a', { recursive: 3 }, done)),
      tried(() => fs.truncate('a', 'x', done)),
      tried(() => fs.utimes('a', {}, 1, done)),
      tried(() => fs.chmod('a', 'x', done)),
      tried(() => fs.close('x', done)),
      tried(() => fs.open('a', 'bad', done)),
      tried(() => fs.symlink('a', 'b', 'bad', done)),
      tried(() => fs.rename(1, 'a', done)),
      tried(() => fs.readv(fd, {}, done)),
      tried(() => fs.rm('a', { maxRetries: -1 }, done)),
      tried(() => fs.read(fd, Buffer.alloc(0), 0, 1, 0, done)),
      tried(() => fs.fchown(fd, 'x', 1, done)),
      tried(() => fs.opendir('a', { bufferSize: -1 }, done)),
    ];
    fs.closeSync(fd);
    return found;
  },
  async 'argument errors of promises are rejections'({ settled }) {
    const p = fs.promises;
    return [
      await settled(p.access('a', 9)),
      await settled(p.access('a', '1')),
      await settled(p.copyFile('a', 'b', -1)),
      await settled(p.chmod('a', 'x')),
      await settled(p.mkdir('a', { recursive: 2 })),
      await settled(p.readFile('a', 'bad')),
      await settled(p.utimes('a', 'x', 1)),
      await settled(p.symlink('a', 'b', 3)),
      await settled(p.stat({})),
      await settled(p.open('a', 'bad')),
      await settled(p.truncate('a', 'x')),
      await settled(p.rm('a', { force: 2 })),
      await settled(p.lchmod('a', 0o600)),
      await settled(p.mkdtemp(1)),
      await settled(p.readlink(1)),
      await settled(p.rename('a')),
      await settled(p.opendir('', { bufferSize: 0 })),
    ];
  },
  async 'whole files by handle'() {
    const handle = await fs.promises.open('a', 'w+');
    await fs.promises.writeFile(handle, 'one');
    await fs.promises.appendFile(handle, 'two');
    await fs.promises.truncate('a', 5);
    const text = await fs.promises.readFile('a', 'utf8');
    await handle.close();
    return text;
  },
  'rm of paths as Buffer and URL, and with slashes'({ tried }) {
    fs.writeFileSync('a', '');
    fs.writeFileSync('b', '');
    fs.mkdirSync('d/e', { recursive: true });
    fs.mkdirSync('g');
    fs.writeFileSync('f', '');
    return [
      tried(() => fs.rmSync(Buffer.from('a'))),
      tried(() => fs.rmSync(pathToFileURL('b'))),
      tried(() => fs.rmSync('d/', { recursive: true })),
      code(tried(() => fs.rmSync('f/'))),
      code(tried(() => fs.rmSync('f/x'))),
      code(tried(() => fs.rmSync('f/x', { force: true }))),
      code(tried(() => fs.rmSync('g'))),
      code(tried(() => fs.rmSync(''))),
      fs.readdirSync('.'),
    ];
  },
  'cp of paths as Buffer and URL'({ tried }) {
    fs.writeFileSync('a', 'x');
    return [
      tried(() => fs.cpSync(pathToFileURL('a'), 'b')),
      read('b'),
      code(tried(() => fs.cpSync(Buffer.from('a'), 'c'))),
    ];
  },
  'cp of links: relative, dangling, and over others'({ tried }) {
    fs.mkdirSync('s');
    fs.writeFileSync('s/f', 'x');
    fs.symlinkSync('none', 's/dangling');
    fs.symlinkSync('f', 's/relative');
    fs.symlinkSync(path.resolve('s/f'), 's/absolute');
    fs.symlinkSync('/somewhere/else', 's/away');
    const found = [
      code(tried(() => fs.cpSync('s', 't', { recursive: true }))),
      code(tried(() => fs.cpSync('s', 't', { recursive: true }))),
      code(tried(() => fs.cpSync('s/relative', 'one', {}))),
    ];
    return [
      ...found,
      ...fs
        .readdirSync('t')
        .sort()
        .map((name) =>
          fs.lstatSync(`t/${name}`).isSymbolicLink() ? fs.readlinkSync(`t/${name}`) : name,
        ),
    ];
  },
  'realpath: caches, encodings, files below files'({ tried, called }) {
    fs.mkdirSync('d');
    fs.writeFileSync('d/f', '');
    fs.symlinkSync('d/f', 'l');
    return (async () => [
      fs.realpathSync('l', 'buffer'),
      fs.realpathSync.native('l', 'buffer'),
      fs.realpathSync('l', { encoding: 'hex' }).length > 10,
      code(tried(() => fs.realpathSync('d/f/x'))),
      code(tried(() => fs.realpathSync.native('d/f/x'))),
      await called(fs.realpath, 'l', { encoding: 'buffer' }),
      fs.realpathSync('d/../l'),
      fs.realpathSync('/..'),
      tried(() => fs.realpathSync(1)),
      tried(() => fs.realpathSync.native(1)),
    ])();
  },
  'a directory that holds a link to itself'() {
    fs.mkdirSync('d/e', { recursive: true });
    fs.symlinkSync('..', 'd/e/up');
    return [
      fs.readdirSync('d', { recursive: true }).sort(),
      fs.realpathSync('d/e/up/e/up'),
      fs.rmSync('d', { recursive: true }),
      fs.existsSync('d'),
    ];
  },
  'attributes of directories'() {
    fs.mkdirSync('d');
    fs.utimesSync('d', 10, 20);
    const found = [fs.statSync('d').mtimeMs];
    const fd = fs.openSync('d', 'r');
    fs.fchmodSync(fd, 0o711);
    fs.futimesSync(fd, 30, 40);
    found.push(fs.fstatSync(fd).mtimeMs, (fs.fstatSync(fd).mode & 0o7777).toString(8));
    fs.closeSync(fd);
    fs.mkdirSync('d/x');
    found.push(fs.statSync('d').mtimeMs > 1e12, fs.statSync('d').nlink, fs.statSync('d').size > 0);
    return found;
  },
  'names by another descriptor: rename, unlink and link while open'() {
    const fd = fs.openSync('a', 'w+');
    fs.writeSync(fd, 'one');
    fs.linkSync('a', 'b');
    fs.unlinkSync('a');
    fs.writeSync(fd, 'two');
    fs.renameSync('b', 'c');
    fs.fchmodSync(fd, 0o640);
    fs.futimesSync(fd, 5, 6);
    const found = [
      fs.fstatSync(fd).nlink,
      read('c'),
      (fs.statSync('c').mode & 0o777).toString(8),
      fs.statSync('c').mtimeMs,
    ];
    fs.closeSync(fd);
    return [...found, read('c')];
  },
  'a file that another opened and replaces'() {
    fs.writeFileSync('a', 'old content');
    const fd = fs.openSync('a', 'r');
    fs.writeFileSync('b', 'new');
    fs.renameSync('b', 'a');
    const buffer = Buffer.alloc(20);
    const count = fs.readSync(fd, buffer, 0, 20, 0);
    fs.closeSync(fd);
    return [buffer.toString('latin1', 0, count), read('a')];
  },
  async 'two streams append to one file'() {
    const streams = [
      fs.createWriteStream('a', { flags: 'a' }),
      fs.createWriteStream('a', { flags: 'a' }),
    ];
    for (let i = 0; i < 50; i++) streams[i % 2].write(`${i % 2}`);
    await Promise.all(streams.map((stream) => new Promise((resolve) => stream.end(resolve))));
    return [read('a').length, read('a').replace(/1/g, '').length];
  },
  async 'a hundred promises at once'({ settled }) {
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => fs.promises.writeFile('shared', `${i}`.padStart(4))),
    );
    const stats = await Promise.all(
      Array.from({ length: 100 }, (_, i) => settled(fs.promises.stat(i % 2 ? 'shared' : 'none'))),
    );
    return [read('shared').length, stats.filter((x) => x instanceof Error).length];
  },
  'Stats and Dirent as values'() {
    fs.writeFileSync('f', '');
    const [entry] = fs.readdirSync('.', { withFileTypes: true });
    const stats = fs.statSync('f');
    stats.mtime = new Date(0);
    return [
      Object.prototype.toString.call(stats),
      JSON.stringify(Object.keys({ ...stats })),
      entry.name,
      `${entry.isFile()}`,
      stats.mtime.getTime(),
      typeof stats.birthtime.getTime(),
    ];
  },
  'options are neither changed nor needed to be plain'() {
    fs.writeFileSync('f', 'text');
    const options = Object.freeze({ encoding: 'utf8', flag: 'r' });
    class Options {
      get encoding() {
        return 'latin1';
      }
    }
    return [
      fs.readFileSync('f', options),
      fs.readFileSync('f', new Options()),
      fs.readFileSync('f', Object.create({ encoding: 'hex' })),
      fs.readFileSync('f', null).length,
      fs.readFileSync('f', undefined).length,
      fs.readFileSync('f', { encoding: null }).length,
    ];
  },
  'the temporary directory'() {
    const made = fs.mkdtempSync(path.join(os.tmpdir(), 'oneos-case-'));
    fs.writeFileSync(path.join(made, 'f'), 'x');
    const found = [fs.readdirSync(made), fs.statSync(os.tmpdir()).isDirectory()];
    fs.rmSync(made, { recursive: true });
    return [...found, fs.existsSync(made)];
  },
  'errors of two paths'({ tried }) {
    fs.writeFileSync('f', '');
    return [
      tried(() => fs.renameSync('none', 'x/y')),
      tried(() => fs.linkSync('f', 'f')),
      tried(() => fs.copyFileSync('f', 'no/where')),
      tried(() => fs.symlinkSync('t', 'no/where')),
      tried(() => fs.renameSync('f', 'f/x')),
      tried(() => fs.linkSync('f/x', 'y')),
    ];
  },
  'process.binding is what it was'() {
    const warn = process.emitWarning;
    process.emitWarning = () => {};
    try {
      return [typeof process.binding('fs').stat, typeof process.binding('constants').fs.O_RDONLY];
    } finally {
      process.emitWarning = warn;
    }
  },
  async 'fs of a disposable and of an aborted iteration'({ settled }) {
    fs.writeFileSync('a', 'one\ntwo\nthree\n');
    const handle = await fs.promises.open('a');
    const lines = [];
    for await (const line of handle.readLines({ start: 4, end: 7 })) lines.push(line);
    const other = await fs.promises.open('a');
    for await (const line of other.readLines()) {
      lines.push(line);
      break;
    }
    return [lines, await settled(handle.stat()), handle.fd];
  },
  async 'bytes of a web stream of a file, and locking'({ settled }) {
    fs.writeFileSync('a', 'web');
    const handle = await fs.promises.open('a');
    const stream = handle.readableWebStream({ type: 'bytes' });
    const reader = stream.getReader({ mode: 'byob' });
    const { value, done } = await reader.read(new Uint8Array(10));
    const again = await settled((async () => handle.readableWebStream({ type: 'bytes' }))());
    reader.releaseLock();
    await handle.close();
    return [Buffer.from(value), done, code(again)];
  },
};
