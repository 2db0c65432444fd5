// As `driver.py`, for Node: each line of its input is JSON, an array of a method's name and its
// arguments; each line of its output ["ok", VALUE] or ["failed", ERRNO]. Bytes are {"b": HEX}.
'use strict';

const fs = require('fs');

const SET_NS_MAX = 10n ** 15n;
const PIECE = 1 << 20;
const SLASH = Buffer.from('/');
const slots = new Map();

class Failed extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

const fdOf = (slot) => {
  if (!slots.has(slot)) throw new Failed('EBADF');
  return slots.get(slot);
};

// What two systems must agree on: mode, links, size, the time that was set.
function shown(about) {
  const size = about.isDirectory() ? -1 : Number(about.size);
  const when = about.mtimeNs < SET_NS_MAX ? Number(about.mtimeNs) : 'now';
  return [`0o${about.mode.toString(8)}`, Number(about.nlink), size, when];
}

function take(fd, count, at) {
  const buffer = Buffer.alloc(count);
  return buffer.subarray(0, fs.readSync(fd, buffer, 0, count, at));
}

function having(path, flags, act, mode = 0o644) {
  const fd = fs.openSync(path, flags, mode);
  try {
    return act(fd);
  } finally {
    fs.closeSync(fd);
  }
}

const { O_WRONLY, O_CREAT, O_TRUNC, O_APPEND, O_RDONLY } = fs.constants;
const big = { bigint: true };
const raw = { encoding: 'buffer' };
const byBytes = (a, b) => Buffer.compare(a[0] ?? a, b[0] ?? b);

const ops = {
  begin(path) {
    for (const slot of [...slots.keys()]) ops.close(slot);
    fs.mkdirSync(path, { recursive: true });
    process.chdir(path.toString());
    process.umask(0o022);
  },
  open(slot, path, flags, mode) {
    if (slots.has(slot)) ops.close(slot);
    const fd = fs.openSync(path, flags, mode);
    if (fs.fstatSync(fd).isDirectory()) {
      fs.closeSync(fd);
      return 'a directory';
    }
    slots.set(slot, fd);
    return null;
  },
  close(slot) {
    const fd = fdOf(slot);
    slots.delete(slot);
    fs.closeSync(fd);
  },
  read: (slot, count) => take(fdOf(slot), count, null),
  write: (slot, data) => fs.writeSync(fdOf(slot), data, 0, data.length, null),
  pread: (slot, count, at) => take(fdOf(slot), count, at),
  pwrite: (slot, data, at) => fs.writeSync(fdOf(slot), data, 0, data.length, at),
  ftruncate: (slot, size) => fs.ftruncateSync(fdOf(slot), size),
  fsync: (slot) => fs.fsyncSync(fdOf(slot)),
  fchmod: (slot, mode) => fs.fchmodSync(fdOf(slot), mode),
  futime: (slot, ns) => fs.futimesSync(fdOf(slot), ns / 1e9, ns / 1e9),
  fstat: (slot) => shown(fs.fstatSync(fdOf(slot), big)).slice(2),
  stat: (path) => shown(fs.statSync(path, big)),
  lstat: (path) => shown(fs.lstatSync(path, big)),
  access(path, mode) {
    try {
      fs.accessSync(path, mode);
      return true;
    } catch {
      return false;
    }
  },
  listdir: (path) => fs.readdirSync(path, raw).sort(Buffer.compare),
  mkdir: (path, mode) => fs.mkdirSync(path, { mode }),
  rmdir: (path) => fs.rmdirSync(path),
  rename: (old, to) => fs.renameSync(old, to),
  link: (old, to) => fs.linkSync(old, to),
  symlink: (target, path) => fs.symlinkSync(target, path),
  readlink: (path) => fs.readlinkSync(path, raw),
  unlink: (path) => fs.unlinkSync(path),
  chmod: (path, mode) => fs.chmodSync(path, mode),
  truncate: (path, size) => fs.truncateSync(path, size),
  put: (path, data) =>
    having(path, O_WRONLY | O_CREAT | O_TRUNC, (fd) => void fs.writeSync(fd, data)),
  add: (path, data) =>
    having(path, O_WRONLY | O_APPEND, (fd) => {
      fs.writeSync(fd, data);
      fs.fsyncSync(fd);
    }),
  patch: (path, data, at) =>
    having(path, O_WRONLY, (fd) => {
      fs.writeSync(fd, data, 0, data.length, at);
      fs.fsyncSync(fd);
    }),
  populate: (path, names) => {
    // An empty path is the current directory, and never the root.
    const above = path.length ? Buffer.concat([path, SLASH]) : path;
    for (const name of names) fs.symlinkSync('x', Buffer.concat([above, name]));
  },
  get: (path) => having(path, O_RDONLY, (fd) => take(fd, PIECE, null)),
  look() {
    const seen = [];
    const walk = (top) => {
      for (const name of fs.readdirSync(top, raw)) {
        const path = Buffer.concat([top, SLASH, name]);
        const about = fs.lstatSync(path, big);
        let content = null;
        if (about.isFile()) content = ops.get(path);
        else if (about.isSymbolicLink()) content = ops.readlink(path);
        seen.push([path, shown(about), content]);
        if (about.isDirectory()) walk(path);
      }
    };
    walk(Buffer.from('.'));
    for (const [slot, fd] of slots) {
      let content;
      try {
        content = take(fd, PIECE, 0);
      } catch (error) {
        content = error.errno === undefined ? error.code : -error.errno;
      }
      seen.push([Buffer.from(`${slot}`), Number(fs.fstatSync(fd).size), content]);
    }
    return seen.sort(byBytes);
  },
};

// Buffers have a form of their own for JSON, which comes first.
const packed = (value) =>
  Buffer.isBuffer(value) ? { b: value.toString('hex') }
    : Array.isArray(value) ? value.map(packed) : value;

function answer(line) {
  const [name, ...words] = JSON.parse(line, (_, value) =>
    value !== null && typeof value === 'object' && 'b' in value ? Buffer.from(value.b, 'hex') : value);
  try {
    return ['ok', packed(ops[name](...words) ?? null)];
  } catch (error) {
    if (error.code === undefined) throw error;
    return ['failed', error.code];
  }
}

const say = (text) => fs.writeSync(1, `${text}\n`);
say('up');
require('readline')
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    let text = `${JSON.stringify(answer(line))}\n`;
    for (let data = Buffer.from(text); data.length; ) data = data.subarray(fs.writeSync(1, data));
  });
