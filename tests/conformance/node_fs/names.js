'use strict';
// Names: mkdir, rmdir, rename, link, symlink, readlink, realpath, unlink, access, exists, mkdtemp.
const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');

module.exports = {
  'mkdir makes one, and says what stands in the way'({ tried }) {
    fs.writeFileSync('f', '');
    return [
      tried(() => fs.mkdirSync('d')),
      tried(() => fs.mkdirSync('d')),
      tried(() => fs.mkdirSync('f')),
      tried(() => fs.mkdirSync('no/where')),
      tried(() => fs.mkdirSync('f/x')),
      tried(() => fs.mkdirSync('')),
    ];
  },
  'mkdir with parents gives the first it made'({ tried }) {
    fs.writeFileSync('f', '');
    const recursive = { recursive: true };
    return [
      tried(() => fs.mkdirSync('a/b/c', recursive)),
      tried(() => fs.mkdirSync('a/b/c', recursive)),
      tried(() => fs.mkdirSync('a/b/d/e', recursive)),
      tried(() => fs.mkdirSync(path.resolve('z/y'), recursive)),
      tried(() => fs.mkdirSync('f', recursive)),
      tried(() => fs.mkdirSync('f/x', recursive)),
      tried(() => fs.mkdirSync('f/x/y', recursive)),
      tried(() => fs.mkdirSync('.', recursive)),
    ];
  },
  'mkdir with parents, through dots and slashes'({ tried }) {
    const recursive = { recursive: true };
    return [
      tried(() => fs.mkdirSync('p/../q/r/', recursive)),
      tried(() => fs.mkdirSync('./s//t', recursive)),
      tried(() => fs.mkdirSync('u/', recursive)),
      tried(() => fs.mkdirSync('v/w//', recursive)),
      fs.readdirSync('.'),
    ];
  },
  'mkdir of the other two kinds'({ called, settled }) {
    const recursive = { recursive: true };
    return (async () => [
      await called(fs.mkdir, 'a'),
      await called(fs.mkdir, 'a'),
      await called(fs.mkdir, 'b/c/d', recursive),
      await called(fs.mkdir, 'b/c', recursive),
      await settled(fs.promises.mkdir('e')),
      await settled(fs.promises.mkdir('e')),
      await settled(fs.promises.mkdir('g/h', recursive)),
      await settled(fs.promises.mkdir('g/h', recursive)),
    ])();
  },
  'mkdir: modes'() {
    const before = process.umask(0o022);
    fs.mkdirSync('a');
    fs.mkdirSync('b', 0o700);
    fs.mkdirSync('c', { mode: '0750' });
    fs.mkdirSync('d/e', { recursive: true, mode: 0o711 });
    process.umask(before);
    return ['a', 'b', 'c', 'd', 'd/e'].map((name) => (fs.statSync(name).mode & 0o777).toString(8));
  },
  'mkdir: argument errors'({ tried }) {
    return [
      tried(() => fs.mkdirSync('a', { recursive: 1 })),
      tried(() => fs.mkdirSync('a', { mode: 'x' })),
      tried(() => fs.mkdirSync(5)),
      tried(() => fs.mkdirSync('a\0')),
      tried(() => fs.mkdirSync('a', null)),
      tried(() => fs.mkdirSync()),
    ];
  },
  rmdir({ tried }) {
    fs.mkdirSync('full/x', { recursive: true });
    fs.mkdirSync('empty');
    fs.writeFileSync('f', '');
    return [
      tried(() => fs.rmdirSync('full')),
      tried(() => fs.rmdirSync('empty')),
      tried(() => fs.rmdirSync('none')),
      tried(() => fs.rmdirSync('f')),
      fs.readdirSync('.'),
    ];
  },
  'rmdir of the other two kinds'({ called, settled }) {
    fs.mkdirSync('a');
    fs.mkdirSync('b');
    return (async () => [
      await called(fs.rmdir, 'a'),
      await called(fs.rmdir, 'a'),
      await settled(fs.promises.rmdir('b')),
      await settled(fs.promises.rmdir('b')),
    ])();
  },
  unlink({ tried }) {
    fs.writeFileSync('f', '');
    fs.mkdirSync('d');
    fs.symlinkSync('f', 'l');
    return [
      tried(() => fs.unlinkSync('l')),
      tried(() => fs.unlinkSync('f')),
      tried(() => fs.unlinkSync('f')),
      tried(() => fs.unlinkSync('d')),
      tried(() => fs.unlinkSync('d/x')),
      tried(() => fs.unlinkSync()),
      fs.readdirSync('.'),
    ];
  },
  'rename of files and directories'({ tried }) {
    fs.writeFileSync('a', 'a');
    fs.writeFileSync('b', 'b');
    fs.mkdirSync('d/e', { recursive: true });
    fs.mkdirSync('full/x', { recursive: true });
    return [
      tried(() => fs.renameSync('a', 'b')),
      fs.readFileSync('b', 'utf8'),
      tried(() => fs.renameSync('none', 'x')),
      tried(() => fs.renameSync('b', 'd')),
      tried(() => fs.renameSync('d', 'b')),
      tried(() => fs.renameSync('d', 'full')),
      tried(() => fs.renameSync('d', 'd/e/f')),
      tried(() => fs.renameSync('b', 'no/where')),
      tried(() => fs.renameSync('d', 'g')),
      tried(() => fs.renameSync('b', 'b')),
      fs.readdirSync('.'),
    ];
  },
  'rename of the other two kinds'({ called, settled }) {
    fs.writeFileSync('a', '');
    return (async () => [
      await called(fs.rename, 'a', 'b'),
      await called(fs.rename, 'a', 'b'),
      await settled(fs.promises.rename('b', 'c')),
      await settled(fs.promises.rename('b', 'c')),
      fs.readdirSync('.'),
    ])();
  },
  'rename: argument errors'({ tried }) {
    return [
      tried(() => fs.renameSync('a')),
      tried(() => fs.renameSync(null, 'b')),
      tried(() => fs.renameSync('a', 'b\0')),
    ];
  },
  'link is a second name'({ tried }) {
    fs.writeFileSync('a', 'x');
    fs.mkdirSync('d');
    fs.linkSync('a', 'b');
    fs.appendFileSync('b', 'y');
    return [
      fs.readFileSync('a', 'utf8'),
      fs.statSync('a').nlink,
      fs.statSync('a').ino === fs.statSync('b').ino,
      tried(() => fs.linkSync('none', 'c')),
      tried(() => fs.linkSync('a', 'b')),
      tried(() => fs.linkSync('a', 'x/y')),
      tried(() => fs.linkSync('d', 'e')),
      fs.unlinkSync('a'),
      fs.statSync('b').nlink,
    ];
  },
  'link of the other two kinds'({ called, settled }) {
    fs.writeFileSync('a', 'x');
    return (async () => [
      await called(fs.link, 'a', 'b'),
      await called(fs.link, 'a', 'b'),
      await settled(fs.promises.link('a', 'c')),
      await settled(fs.promises.link('none', 'd')),
      fs.statSync('a').nlink,
    ])();
  },
  'symlink and readlink'({ tried }) {
    fs.writeFileSync('a', 'x');
    fs.symlinkSync('a', 'l');
    fs.symlinkSync('nowhere', 'dangling');
    return [
      fs.readlinkSync('l'),
      fs.readlinkSync('l', 'buffer'),
      fs.readlinkSync('dangling', 'hex'),
      fs.readFileSync('l', 'utf8'),
      fs.lstatSync('l').isSymbolicLink(),
      fs.statSync('l').isFile(),
      tried(() => fs.readlinkSync('a')),
      tried(() => fs.readlinkSync('none')),
      tried(() => fs.symlinkSync('a', 'l')),
      tried(() => fs.symlinkSync('a', 'x/y')),
      tried(() => fs.statSync('dangling')),
      fs.existsSync('dangling'),
    ];
  },
  'symlink of the other two kinds'({ called, settled }) {
    return (async () => [
      await called(fs.symlink, 't', 'a'),
      await called(fs.symlink, 't', 'a', 'file'),
      await settled(fs.promises.symlink('t', 'b', 'dir')),
      await settled(fs.promises.symlink('t', 'b')),
      await called(fs.readlink, 'a'),
      await settled(fs.promises.readlink('b', 'buffer')),
      await settled(fs.promises.readlink('none')),
      await called(fs.readlink, '.'),
    ])();
  },
  'symlink: argument errors'({ tried }) {
    return [
      tried(() => fs.symlinkSync('a', 'b', 'no type')),
      tried(() => fs.symlinkSync(1, 'b')),
      tried(() => fs.symlinkSync('', 'b')),
      tried(() => fs.symlinkSync('a', '')),
      tried(() => fs.readlinkSync(1)),
      tried(() => fs.readlinkSync('a', 'no such')),
    ];
  },
  'links in a circle are ELOOP'({ tried }) {
    fs.symlinkSync('a', 'b');
    fs.symlinkSync('b', 'a');
    return [
      tried(() => fs.statSync('a')),
      tried(() => fs.readFileSync('a')),
      tried(() => fs.realpathSync('a')),
      tried(() => fs.realpathSync.native('a')),
      tried(() => fs.accessSync('b')),
      fs.existsSync('a'),
    ];
  },
  'realpath follows all links'({ tried }) {
    fs.mkdirSync('d/e', { recursive: true });
    fs.symlinkSync('d', 'l');
    fs.symlinkSync('../d/e', 'd/up');
    return [
      fs.realpathSync('l/e'),
      fs.realpathSync('l/up/..'),
      fs.realpathSync.native('l/up'),
      fs.realpathSync('.', 'buffer'),
      fs.realpathSync(pathToFileURL('l')),
      tried(() => fs.realpathSync('none')),
      tried(() => fs.realpathSync.native('none')),
      fs.realpathSync('/'),
      fs.realpathSync(''),
    ];
  },
  'realpath of the other two kinds'({ called, settled }) {
    fs.mkdirSync('d');
    fs.symlinkSync('d', 'l');
    return (async () => [
      await called(fs.realpath, 'l'),
      await called(fs.realpath.native, 'l'),
      await settled(fs.promises.realpath('l')),
      await called(fs.realpath, 'none'),
      await called(fs.realpath.native, 'none'),
      await settled(fs.promises.realpath('none')),
      await called(fs.realpath, 'l', 'hex').then((x) => typeof x),
    ])();
  },
  access({ tried }) {
    const { F_OK, R_OK, W_OK, X_OK } = fs.constants;
    fs.writeFileSync('f', '', { mode: 0o644 });
    fs.writeFileSync('x', '', { mode: 0o755 });
    return [
      tried(() => fs.accessSync('f')),
      tried(() => fs.accessSync('f', R_OK | W_OK)),
      tried(() => fs.accessSync('f', X_OK)),
      tried(() => fs.accessSync('x', X_OK)),
      tried(() => fs.accessSync('none', F_OK)),
      tried(() => fs.accessSync('f/x')),
      tried(() => fs.accessSync('f', 'x')),
      tried(() => fs.accessSync('f', 8)),
      tried(() => fs.accessSync('.', X_OK)),
    ];
  },
  'access of the other two kinds'({ called, settled }) {
    fs.writeFileSync('f', '');
    return (async () => [
      await called(fs.access, 'f'),
      await called(fs.access, 'f', fs.constants.X_OK),
      await called(fs.access, 'none'),
      await settled(fs.promises.access('f')),
      await settled(fs.promises.access('none', fs.constants.R_OK)),
    ])();
  },
  'exists never throws'() {
    fs.writeFileSync('f', '');
    return new Promise((resolve) =>
      fs.exists('f', (one) =>
        fs.exists('none', (two) =>
          resolve([
            one,
            two,
            fs.existsSync('f'),
            fs.existsSync('none'),
            fs.existsSync('f/x'),
            fs.existsSync(''),
            fs.existsSync(1),
            fs.existsSync('a\0'),
            fs.existsSync(new URL('http://x')),
            fs.existsSync('.'),
            fs.existsSync(Buffer.from('f')),
          ]),
        ),
      ),
    );
  },
  'mkdtemp makes one with six characters more'({ tried }) {
    const made = [
      fs.mkdtempSync('t-'),
      fs.mkdtempSync(Buffer.from('u-')),
      fs.mkdtempSync('v-', 'buffer'),
      fs.mkdtempSync(pathToFileURL('w-')),
    ];
    return [
      made.map((name) => path.basename(`${name}`).replace(/[a-zA-Z0-9]{6}$/, 'XXXXXX')),
      made.map((name) => [
        fs.statSync(name).isDirectory(),
        (fs.statSync(name).mode & 0o777).toString(8),
      ]),
      tried(() => fs.mkdtempSync('no/where-')).code,
      tried(() => fs.mkdtempSync(1)),
      tried(() => fs.mkdtempSync('a\0')),
    ];
  },
  'mkdtemp of the other two kinds'({ called, settled }) {
    const masked = (name) => (typeof name === 'string' ? name.replace(/.{6}$/, 'XXXXXX') : name);
    return (async () => [
      masked(await called(fs.mkdtemp, 'a-')),
      masked(await settled(fs.promises.mkdtemp('b-'))),
      (await called(fs.mkdtemp, 'no/where-')).code,
      (await settled(fs.promises.mkdtemp('no/where-'))).code,
    ])();
  },
  'mkdtempDisposable, where there is one'() {
    if (!fs.mkdtempDisposableSync) return 'not in this Node';
    const made = fs.mkdtempDisposableSync('t-');
    fs.writeFileSync(path.join(made.path, 'f'), '');
    const there = fs.existsSync(made.path);
    made.remove();
    return [there, fs.existsSync(made.path)];
  },
  'a name of 255 bytes, and one of 256'({ tried }) {
    return [
      tried(() => fs.writeFileSync('n'.repeat(255), 'x')),
      tried(() => fs.writeFileSync('n'.repeat(256), 'x').code),
      tried(() => fs.mkdirSync('m'.repeat(256))),
    ].map((x) => (x ? x.code : x));
  },
  'a file is no directory'({ tried }) {
    fs.writeFileSync('f', '');
    return [
      tried(() => fs.readFileSync('f/x')),
      tried(() => fs.writeFileSync('f/x', '')),
      tried(() => fs.statSync('f/')),
      tried(() => fs.readdirSync('f')),
      tried(() => fs.statSync('f/x', { throwIfNoEntry: false })),
      tried(() => fs.openSync('f/', 'r')),
      tried(() => fs.mkdirSync('f/')),
    ];
  },
  'paths with dots and double slashes'() {
    fs.mkdirSync('d/e', { recursive: true });
    fs.writeFileSync('d/f', 'x');
    return [
      fs.readFileSync('d/./f', 'utf8'),
      fs.readFileSync('d//f', 'utf8'),
      fs.readFileSync('d/e/../f', 'utf8'),
      fs.readFileSync('./d/e/../../d/f', 'utf8'),
      fs.statSync('d/').isDirectory(),
      fs.statSync('d/.').isDirectory(),
    ];
  },
  'every call with a bad path says so'({ tried }) {
    const names = [
      'access',
      'chmod',
      'lstat',
      'mkdir',
      'readdir',
      'readFile',
      'readlink',
      'realpath',
      'rm',
      'rmdir',
      'stat',
      'truncate',
      'unlink',
      'opendir',
      'statfs',
    ];
    return names.map((name) => [
      name,
      tried(() => fs[`${name}Sync`]('a\0b', 1)),
      tried(() => fs[`${name}Sync`]({}, 1)),
    ]);
  },
};
