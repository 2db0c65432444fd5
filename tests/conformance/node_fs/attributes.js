'use strict';
// Attributes: stat, lstat, fstat, BigInt stats, chmod, chown, utimes, lutimes, futimes, statfs.
const fs = require('fs');

const bits = (stats) => (stats.mode & 0o7777).toString(8);
const FIELDS = [
  'dev',
  'ino',
  'mode',
  'nlink',
  'uid',
  'gid',
  'rdev',
  'size',
  'blksize',
  'blocks',
  'atimeMs',
  'mtimeMs',
  'ctimeMs',
  'birthtimeMs',
];

module.exports = {
  'stat of a file, a directory and a link'() {
    fs.writeFileSync('f', 'abc', { mode: 0o640 });
    fs.mkdirSync('d', 0o750);
    fs.symlinkSync('f', 'l');
    const kinds = [
      'isFile',
      'isDirectory',
      'isSymbolicLink',
      'isFIFO',
      'isSocket',
      'isBlockDevice',
      'isCharacterDevice',
    ];
    return [fs.statSync('f'), fs.statSync('d'), fs.statSync('l'), fs.lstatSync('l')].map(
      (stats) => [
        ...kinds.filter((kind) => stats[kind]()),
        bits(stats),
        stats.isFile() ? stats.size : null,
      ],
    );
  },
  'stat has these fields, of these types'() {
    fs.writeFileSync('f', 'abc');
    const stats = fs.statSync('f');
    const big = fs.statSync('f', { bigint: true });
    return [
      FIELDS.map((name) => [name, typeof stats[name], typeof big[name]]),
      Object.keys(stats),
      Object.keys(big),
      ['atime', 'mtime', 'ctime', 'birthtime'].map((name) =>
        [stats[name], big[name]].map((x) => x instanceof Date),
      ),
    ];
  },
  'stat: numbers that hold'() {
    fs.writeFileSync('f', 'abc');
    const stats = fs.statSync('f');
    return [
      stats.nlink,
      stats.uid === process.getuid(),
      stats.gid === process.getgid(),
      stats.size,
      stats.ino > 0,
      stats.blksize > 0,
      Math.abs(Date.now() - stats.mtimeMs) < 3_600_000,
    ];
  },
  'BigInt stats agree with the others'() {
    fs.writeFileSync('f', 'abc');
    fs.utimesSync('f', 1000.25, 2000.5);
    const [plain, big] = [fs.statSync('f'), fs.statSync('f', { bigint: true })];
    return [
      big.size,
      big.atimeMs,
      big.mtimeMs,
      big.atimeNs,
      big.mtimeNs,
      BigInt(plain.ino) === big.ino,
      BigInt(plain.mode) === big.mode,
      plain.mtimeMs,
    ];
  },
  'BigInt stats by descriptor, callback and promise'({ called }) {
    fs.writeFileSync('f', 'abc');
    const fd = fs.openSync('f', 'r');
    return (async () => {
      const found = [
        fs.fstatSync(fd, { bigint: true }),
        await called(fs.fstat, fd, { bigint: true }),
        await called(fs.stat, 'f', { bigint: true }),
        await called(fs.lstat, 'f', { bigint: true }),
        await fs.promises.stat('f', { bigint: true }),
        await fs.promises.lstat('f', { bigint: true }),
      ];
      fs.closeSync(fd);
      return found.map((stats) => [stats.size, typeof stats.mtimeNs, stats.isFile()]);
    })();
  },
  'stat of what is not there'({ tried, called, settled }) {
    return (async () => [
      tried(() => fs.statSync('none')),
      tried(() => fs.lstatSync('none')),
      tried(() => fs.statSync('none', { throwIfNoEntry: false })),
      tried(() => fs.lstatSync('none/x', { throwIfNoEntry: false })),
      await called(fs.stat, 'none'),
      await called(fs.lstat, 'none'),
      await settled(fs.promises.stat('none')),
      await settled(fs.promises.lstat('none')),
      tried(() => fs.statSync('')),
      tried(() => fs.statSync('none', { throwIfNoEntry: true })),
    ])();
  },
  'stat: argument errors'({ tried }) {
    return [
      tried(() => fs.statSync()),
      tried(() => fs.statSync(1)),
      tried(() => fs.stat('a')),
      tried(() => fs.lstatSync(null)),
      tried(() => fs.fstatSync('x')),
      tried(() => fs.fstatSync()),
    ];
  },
  'chmod sets bits, as numbers and as text'() {
    fs.writeFileSync('f', '');
    return [0o600, '644', 0o4755, '0', 0o1777, 0o7777].map((mode) => {
      fs.chmodSync('f', mode);
      return bits(fs.statSync('f'));
    });
  },
  'chmod of the other kinds'({ called, settled, tried }) {
    fs.writeFileSync('f', '');
    fs.mkdirSync('d');
    const fd = fs.openSync('f', 'r');
    const seen = (result) => [result, bits(fs.statSync('f'))];
    return (async () => {
      const found = [
        seen(await called(fs.chmod, 'f', 0o600)),
        seen(await settled(fs.promises.chmod('f', 0o640))),
        seen(fs.fchmodSync(fd, 0o604)),
        seen(await called(fs.fchmod, fd, 0o660)),
        await called(fs.chmod, 'none', 0o600),
        await settled(fs.promises.chmod('none', 0o600)),
        tried(() => fs.chmodSync('none', 0o600)),
        fs.chmodSync('d', 0o700),
        bits(fs.statSync('d')),
      ];
      fs.closeSync(fd);
      return found;
    })();
  },
  'chmod: argument errors'({ tried }) {
    return [
      tried(() => fs.chmodSync('f')),
      tried(() => fs.chmodSync('f', '9')),
      tried(() => fs.chmodSync('f', -1)),
      tried(() => fs.chmodSync('f', 2 ** 32)),
      tried(() => fs.chmodSync(1, 1)),
      tried(() => fs.chmodSync('f', 1.5)),
    ];
  },
  'chmod goes through a link'() {
    fs.writeFileSync('f', '');
    fs.symlinkSync('f', 'l');
    fs.chmodSync('l', 0o611);
    return [bits(fs.statSync('f')), bits(fs.lstatSync('l'))];
  },
  'chown to oneself'({ tried, called, settled }) {
    fs.writeFileSync('f', '');
    fs.symlinkSync('none', 'l');
    const [uid, gid] = [process.getuid(), process.getgid()];
    return (async () => [
      tried(() => fs.chownSync('f', uid, gid)),
      tried(() => fs.lchownSync('l', uid, gid)),
      await called(fs.chown, 'f', uid, gid),
      await settled(fs.promises.chown('f', -1, -1)),
      tried(() => fs.chownSync('l', uid, gid)),
      tried(() => fs.chownSync('none', uid, gid)),
      tried(() => fs.chownSync('f', 'x', 1)),
      tried(() => fs.chownSync('f', -2, 1)),
      await settled(fs.promises.lchown('l', uid, gid)),
      await called(fs.lchown, 'none', uid, gid),
    ])();
  },
  'utimes takes numbers, Dates and text'() {
    fs.writeFileSync('f', '');
    return [
      [1, 2],
      [new Date(5000), new Date(7250)],
      ['11.5', '12'],
      [2 ** 33, 2 ** 33 + 0.5],
      [0, 0],
    ].map(([atime, mtime]) => {
      fs.utimesSync('f', atime, mtime);
      return [fs.statSync('f').atimeMs, fs.statSync('f').mtimeMs];
    });
  },
  'utimes: a time before the epoch is now'() {
    fs.writeFileSync('f', '');
    fs.utimesSync('f', -1, -1);
    return fs.statSync('f').mtimeMs > 1e12;
  },
  'utimes: fractions of a second'() {
    fs.writeFileSync('f', '');
    return [0.001, 1.123, 1234567890.5, 1234567890.123456].map((time) => {
      fs.utimesSync('f', time, time);
      return fs.statSync('f', { bigint: true }).mtimeNs;
    });
  },
  'utimes of the other kinds'({ called, settled, tried }) {
    fs.writeFileSync('f', '');
    const fd = fs.openSync('f', 'r+');
    const seen = (result) => [result, fs.statSync('f').mtimeMs];
    return (async () => {
      const found = [
        seen(await called(fs.utimes, 'f', 1, 1)),
        seen(await settled(fs.promises.utimes('f', 2, 2))),
        seen(fs.futimesSync(fd, 3, 3)),
        seen(await called(fs.futimes, fd, 4, 4)),
        await called(fs.utimes, 'none', 1, 1),
        await settled(fs.promises.utimes('none', 1, 1)),
        tried(() => fs.utimesSync('none', 1, 1)),
      ];
      fs.closeSync(fd);
      return [...found, fs.statSync('f').mtimeMs];
    })();
  },
  'utimes of an open file that is then written'() {
    const fd = fs.openSync('f', 'w');
    fs.writeSync(fd, 'abc');
    fs.futimesSync(fd, 100, 200);
    fs.closeSync(fd);
    return [fs.statSync('f').mtimeMs, fs.statSync('f').size];
  },
  'lutimes changes the link and not what it leads to'({ called, settled, tried }) {
    fs.writeFileSync('f', '');
    fs.utimesSync('f', 1, 1);
    fs.symlinkSync('f', 'l');
    const seen = (result) => [result, fs.lstatSync('l').mtimeMs, fs.statSync('l').mtimeMs];
    return (async () => [
      seen(fs.lutimesSync('l', 5, 6)),
      seen(await called(fs.lutimes, 'l', 7, 8)),
      seen(await settled(fs.promises.lutimes('l', 9, 10))),
      tried(() => fs.lutimesSync('none', 1, 1)),
    ])();
  },
  'utimes: argument errors'({ tried }) {
    return [
      tried(() => fs.utimesSync('f', {}, 1)),
      tried(() => fs.utimesSync('f', 'x', 1)),
      tried(() => fs.utimesSync('f')),
      tried(() => fs.utimesSync(1, 1, 1)),
      tried(() => fs.utimesSync('f', NaN, 1)),
      tried(() => fs.utimesSync('f', Infinity, 1).x),
    ];
  },
  'writing changes mtime, chmod does not'() {
    fs.writeFileSync('f', '');
    fs.utimesSync('f', 1, 1);
    fs.chmodSync('f', 0o600);
    const kept = fs.statSync('f').mtimeMs;
    fs.appendFileSync('f', 'x');
    return [kept, fs.statSync('f').mtimeMs > 1_000_000, fs.statSync('f').ctimeMs > 1_000_000];
  },
  statfs({ tried, called, settled }) {
    const fields = (stats) => Object.entries(stats).map(([name, value]) => [name, typeof value]);
    return (async () => [
      fields(fs.statfsSync('.')),
      fields(fs.statfsSync('.', { bigint: true })),
      fields(await called(fs.statfs, '.')),
      fields(await fs.promises.statfs('.', { bigint: true })),
      tried(() => fs.statfsSync('none')),
      await called(fs.statfs, 'none'),
      await settled(fs.promises.statfs('none')),
      tried(() => fs.statfsSync(1)),
      fs.statfsSync('.').bsize > 0,
      fs.statfsSync('.').blocks >= fs.statfsSync('.').bfree,
    ])();
  },
  'device files of the host'() {
    const stats = fs.statSync('/dev/null');
    return [
      stats.isCharacterDevice(),
      fs.readFileSync('/dev/null'),
      fs.writeFileSync('/dev/null', 'gone'),
      fs.existsSync('/dev/zero'),
      fs.statSync('/').isDirectory(),
    ];
  },
  'Stats are of the class fs.Stats'() {
    fs.writeFileSync('f', '');
    return [
      fs.statSync('f') instanceof fs.Stats,
      fs.lstatSync('f').constructor.name,
      fs.statSync('f', { bigint: true }).constructor.name,
    ];
  },
};
