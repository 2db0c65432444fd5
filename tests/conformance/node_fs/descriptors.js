'use strict';
// Open descriptors: open, read, write, readv, writev, fsync, fstat, close.
const fs = require('fs');

const {
  O_RDONLY,
  O_WRONLY,
  O_RDWR,
  O_CREAT,
  O_EXCL,
  O_TRUNC,
  O_APPEND,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_SYNC,
} = fs.constants;
const read = (name) => fs.readFileSync(name, 'utf8');

function withFd(name, flags, body) {
  const fd = fs.openSync(name, flags);
  try {
    return body(fd);
  } finally {
    fs.closeSync(fd);
  }
}

module.exports = {
  'write and read at the position and elsewhere'() {
    return withFd('a', 'w+', (fd) => {
      const counts = [
        fs.writeSync(fd, 'hello world'),
        fs.writeSync(fd, Buffer.from('HELLO'), 0, 3, 2),
      ];
      const buffer = Buffer.alloc(12, '.');
      counts.push(fs.readSync(fd, buffer, 0, 5, 1));
      return [counts, buffer, fs.readSync(fd, buffer)];
    });
  },
  'write of a string: position and encoding'() {
    withFd('a', 'w', (fd) => {
      fs.writeSync(fd, 'abcdef');
      fs.writeSync(fd, 'é', 1, 'latin1');
      fs.writeSync(fd, '5a', null, 'hex');
    });
    return fs.readFileSync('a', 'latin1');
  },
  'read takes options and a bigint position'() {
    fs.writeFileSync('a', 'abcdefgh');
    return withFd('a', 'r', (fd) => {
      const buffer = Buffer.alloc(4, '.');
      return [
        fs.readSync(fd, buffer, { position: 2n, length: 3 }),
        `${buffer}`,
        fs.readSync(fd, buffer, { offset: 3 }),
        `${buffer}`,
        fs.readSync(fd, buffer, 0),
        `${buffer}`,
      ];
    });
  },
  'read at and after the end'() {
    fs.writeFileSync('a', 'abc');
    return withFd('a', 'r', (fd) => [
      fs.readSync(fd, Buffer.alloc(9)),
      fs.readSync(fd, Buffer.alloc(9)),
      fs.readSync(fd, Buffer.alloc(9), 0, 9, 100),
    ]);
  },
  'read into an empty buffer or of no length'({ tried }) {
    fs.writeFileSync('a', 'abc');
    return withFd('a', 'r', (fd) => [
      tried(() => fs.readSync(fd, Buffer.alloc(0))),
      tried(() => fs.readSync(fd, Buffer.alloc(4), 0, 0, 0)),
    ]);
  },
  'argument errors of read'({ tried }) {
    fs.writeFileSync('a', 'abc');
    return withFd('a', 'r', (fd) => [
      tried(() => fs.readSync(fd, 'text')),
      tried(() => fs.readSync(fd, Buffer.alloc(4), -1, 1)),
      tried(() => fs.readSync(fd, Buffer.alloc(4), 2, 3)),
      tried(() => fs.readSync(fd, Buffer.alloc(4), 0, -1)),
      tried(() => fs.readSync(fd, Buffer.alloc(4), 0, 1, '0')),
      tried(() => fs.readSync(fd, Buffer.alloc(4), 0, 1, -2)),
      tried(() => fs.readSync('1', Buffer.alloc(4))),
      tried(() => fs.readSync(-1, Buffer.alloc(4))),
      tried(() => fs.readSync(fd, Buffer.alloc(4), 0, 1, 2n ** 63n)),
    ]);
  },
  'argument errors of write'({ tried }) {
    return withFd('a', 'w', (fd) => [
      tried(() => fs.writeSync(fd, {})),
      tried(() => fs.writeSync(fd, Buffer.alloc(4), 5)),
      tried(() => fs.writeSync(fd, Buffer.alloc(4), 0, 5)),
      tried(() => fs.writeSync(fd, Buffer.alloc(4), 0, -1)),
      tried(() => fs.writeSync(fd, 'x', 0, 'no such')),
      tried(() => fs.writeSync(fd, 1)),
      tried(() => fs.writeSync(NaN, 'x')),
      tried(() => fs.writeSync(fd, undefined)),
    ]);
  },
  'reading what is open for writing, and the reverse'({ tried }) {
    fs.writeFileSync('a', 'abc');
    return [
      withFd('a', 'a', (fd) => tried(() => fs.readSync(fd, Buffer.alloc(1)))),
      withFd('a', 'r', (fd) => tried(() => fs.writeSync(fd, 'x'))),
    ];
  },
  'readv and writev, at the position and elsewhere'() {
    return withFd('a', 'w+', (fd) => {
      const counts = [
        fs.writevSync(fd, [Buffer.from('ab'), Buffer.from('cdef')]),
        fs.writevSync(fd, [Buffer.from('X')], 1),
      ];
      const parts = [Buffer.alloc(1), Buffer.alloc(8, '.')];
      counts.push(fs.readvSync(fd, parts, 0), fs.readvSync(fd, [Buffer.alloc(3)]));
      return [counts, parts];
    });
  },
  'readv and writev with callbacks and promises'({ called }) {
    fs.writeFileSync('a', '');
    const fd = fs.openSync('a', 'r+');
    return (async () => {
      const [wrote] = await called(fs.writev, fd, [Buffer.from('one'), new Uint8Array([33])], 0);
      const parts = [Buffer.alloc(2), Buffer.alloc(2)];
      const [got] = await called(fs.readv, fd, parts, 0);
      fs.closeSync(fd);
      const handle = await fs.promises.open('a', 'r+');
      const { bytesWritten } = await handle.writev([Buffer.from('TWO'), Buffer.from('!!')]);
      const { bytesRead, buffers } = await handle.readv([Buffer.alloc(3), Buffer.alloc(9)], 1);
      await handle.close();
      return [wrote, got, parts, bytesWritten, bytesRead, buffers];
    })();
  },
  'argument errors of readv and writev'({ tried }) {
    return withFd('a', 'w+', (fd) => [
      tried(() => fs.readvSync(fd, 'x')),
      tried(() => fs.readvSync(fd, ['x'])),
      tried(() => fs.writevSync(fd, Buffer.alloc(1))),
      tried(() => fs.writevSync('x', [])),
      tried(() => fs.writevSync(fd, [])),
      tried(() => fs.readvSync(fd, [])),
    ]);
  },
  'positions beyond the end leave a hole of zeros'() {
    withFd('a', 'w', (fd) => fs.writeSync(fd, 'x', 5));
    return read('a');
  },
  'a descriptor for appending ignores positions'() {
    fs.writeFileSync('a', 'abc');
    withFd('a', 'a+', (fd) => fs.writeSync(fd, 'X', 0));
    return read('a');
  },
  'open by numbers'({ tried }) {
    return [
      withFd('a', O_WRONLY | O_CREAT, (fd) => fs.writeSync(fd, 'abc')),
      tried(() => fs.openSync('a', O_WRONLY | O_CREAT | O_EXCL)),
      withFd('a', O_RDWR | O_APPEND, (fd) => fs.writeSync(fd, 'd')),
      read('a'),
      withFd('a', O_RDONLY, (fd) => typeof fd),
      withFd('a', O_WRONLY | O_TRUNC | O_SYNC, (fd) => fs.fstatSync(fd).size),
    ];
  },
  'every flag as text, on a file that is there and one that is not'({ tried }) {
    const flags = [
      'r',
      'rs',
      'r+',
      'rs+',
      'w',
      'wx',
      'w+',
      'wx+',
      'a',
      'ax',
      'a+',
      'ax+',
      'as',
      'as+',
      'xw',
      'xa+',
      'sr',
      'sr+',
      'sa+',
    ];
    return flags.map((flag) => {
      fs.writeFileSync('here', 'abc');
      fs.rmSync('not', { force: true });
      return [
        flag,
        ...['here', 'not'].map((name) => tried(() => withFd(name, flag, () => 'opened'))),
        fs.statSync('here').size,
      ];
    });
  },
  'unknown flags'({ tried }) {
    return ['+', 'rx', 'R', '', 'rw', 'a++', {}, true, 1.5].map((flag) =>
      tried(() => fs.closeSync(fs.openSync('none', flag))),
    );
  },
  'O_DIRECTORY and O_NOFOLLOW'({ tried }) {
    fs.writeFileSync('f', 'x');
    fs.mkdirSync('d');
    fs.symlinkSync('f', 'l');
    return [
      tried(() => fs.openSync('f', O_RDONLY | O_DIRECTORY)),
      tried(() => fs.openSync('l', O_RDONLY | O_NOFOLLOW)),
      withFd('d', O_RDONLY | O_DIRECTORY, (fd) => fs.fstatSync(fd).isDirectory()),
    ];
  },
  'a directory opens for reading only'({ tried }) {
    fs.mkdirSync('d');
    return [
      withFd('d', 'r', (fd) => [
        fs.fstatSync(fd).isDirectory(),
        tried(() => fs.readSync(fd, Buffer.alloc(1))),
        tried(() => fs.ftruncateSync(fd, 1)),
        tried(() => fs.fsyncSync(fd)),
      ]),
      tried(() => fs.openSync('d', 'w')),
      tried(() => fs.openSync('d', 'r+')),
    ];
  },
  'modes of open and the umask'() {
    const before = process.umask(0o027);
    try {
      fs.closeSync(fs.openSync('a', 'w'));
      fs.closeSync(fs.openSync('b', 'w', 0o777));
      fs.closeSync(fs.openSync('c', 'w', '600'));
      return ['a', 'b', 'c'].map((name) => (fs.statSync(name).mode & 0o777).toString(8));
    } finally {
      process.umask(before);
    }
  },
  'argument errors of open'({ tried }) {
    return [
      tried(() => fs.openSync()),
      tried(() => fs.openSync(1)),
      tried(() => fs.openSync('a\0b')),
      tried(() => fs.openSync('a', 'r', 'abc')),
      tried(() => fs.openSync('a', 'r', -1)),
      tried(() => fs.openSync(null)),
      tried(() => fs.openSync(new URL('http://x/y'))),
      tried(() => fs.openSync('')),
      tried(() => fs.open('a')),
      tried(() => fs.open('a', 'r', 'x')),
    ];
  },
  'a closed descriptor is EBADF everywhere'({ tried }) {
    const fd = fs.openSync('a', 'w+');
    fs.closeSync(fd);
    return [
      tried(() => fs.closeSync(fd)),
      tried(() => fs.readSync(fd, Buffer.alloc(1))),
      tried(() => fs.writeSync(fd, 'x')),
      tried(() => fs.fstatSync(fd)),
      tried(() => fs.fsyncSync(fd)),
      tried(() => fs.fdatasyncSync(fd)),
      tried(() => fs.ftruncateSync(fd)),
      tried(() => fs.futimesSync(fd, 1, 1)),
      tried(() => fs.fchmodSync(fd, 0o600)),
      tried(() => fs.fchownSync(fd, 0, 0)),
      tried(() => fs.readvSync(fd, [Buffer.alloc(1)])),
      tried(() => fs.writevSync(fd, [Buffer.alloc(1)])),
      tried(() => fs.readFileSync(fd)),
      tried(() => fs.writeFileSync(fd, 'x')),
      tried(() => fs.readFileSync(fd, 'utf8')),
    ];
  },
  'argument errors of descriptors'({ tried }) {
    return [
      tried(() => fs.closeSync()),
      tried(() => fs.closeSync('1')),
      tried(() => fs.closeSync(-1)),
      tried(() => fs.closeSync(1.5)),
      tried(() => fs.fstatSync(2 ** 32)),
      tried(() => fs.fsyncSync({})),
      tried(() => fs.fchmodSync(1, 'x')),
      tried(() => fs.fchownSync(1, -2, 1)),
      tried(() => fs.close(1, 'x')),
      tried(() => fs.futimesSync(1, 'x', 1)),
      tried(() => fs.ftruncateSync(1, 'x')),
    ];
  },
  'open, read, write, close with callbacks'({ called }) {
    return (async () => {
      const fd = await called(fs.open, 'a', 'w+');
      const [wrote] = await called(fs.write, fd, 'callback text');
      const [bytes, buffer] = await called(fs.read, fd, Buffer.alloc(8), 0, 8, 0);
      const [more, own] = await called(fs.read, fd, { position: 9 });
      const [some, text] = await called(fs.write, fd, Buffer.from('XYZ'), 1, 1, 0);
      return [
        wrote,
        bytes,
        buffer,
        more,
        own.length,
        own.subarray(0, more),
        some,
        text,
        await called(fs.fsync, fd),
        await called(fs.fdatasync, fd),
        await called(fs.ftruncate, fd, 4),
        await called(fs.close, fd),
        read('a'),
        await called(fs.close, fd),
      ];
    })();
  },
  'callbacks of errors name the call'({ called }) {
    return (async () => [
      await called(fs.open, 'none', 'r'),
      await called(fs.read, 9999, Buffer.alloc(1), 0, 1, 0),
      await called(fs.write, 9999, 'x'),
      await called(fs.fstat, 9999),
      await called(fs.fsync, 9999),
      await called(fs.open, 'x/y', 'w'),
      await called(fs.ftruncate, 9999, 1),
    ])();
  },
  'a callback is no function'({ tried }) {
    return [
      'open',
      'readFile',
      'stat',
      'mkdir',
      'readdir',
      'unlink',
      'access',
      'rm',
      'cp',
      'opendir',
      'realpath',
      'mkdtemp',
      'exists',
      'utimes',
      'chmod',
    ].map((name) => [name, tried(() => fs[name]('a', 1, 1, 'no'))]);
  },
  'fsync and fdatasync'() {
    return withFd('a', 'w', (fd) => [
      fs.writeSync(fd, 'x'),
      fs.fsyncSync(fd),
      fs.fdatasyncSync(fd),
      read('a'),
    ]);
  },
  'two descriptors of a file see each other'() {
    return withFd('a', 'w+', (one) =>
      withFd('a', 'r+', (two) => {
        fs.writeSync(one, 'abc');
        const buffer = Buffer.alloc(3);
        const counts = [fs.readSync(two, buffer), fs.writeSync(two, 'd'), fs.fstatSync(one).size];
        return [counts, buffer, fs.readSync(one, buffer, 0, 3, 3)];
      }),
    );
  },
  'an open file outlives its name'() {
    return withFd('a', 'w+', (fd) => {
      fs.writeSync(fd, 'kept');
      fs.unlinkSync('a');
      const buffer = Buffer.alloc(4);
      return [
        fs.existsSync('a'),
        fs.readSync(fd, buffer, 0, 4, 0),
        buffer,
        fs.fstatSync(fd).nlink,
        fs.fstatSync(fd).size,
      ];
    });
  },
  'an open file keeps its name through a rename'() {
    return withFd('a', 'w+', (fd) => {
      fs.writeSync(fd, 'one');
      fs.renameSync('a', 'b');
      fs.writeSync(fd, 'two');
      return [read('b'), fs.existsSync('a')];
    });
  },
  'fifty open files'() {
    const fds = Array.from({ length: 50 }, (_, i) => fs.openSync(`f${i}`, 'w'));
    fds.forEach((fd, i) => fs.writeSync(fd, `${i}`));
    fds.forEach((fd) => fs.closeSync(fd));
    return [new Set(fds).size, fs.readdirSync('.').length, read('f49')];
  },
};
