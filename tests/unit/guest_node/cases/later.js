'use strict';
// The callback and promise styles, FileHandle and directories.
const fs = require('fs');
const { AsyncLocalStorage } = require('async_hooks');
const { promisify } = require('util');

const fsp = fs.promises;
const call = (name, ...args) => promisify(fs[name])(...args);

module.exports = {
  async callbacks_read_and_write({ log }) {
    await call('writeFile', 'f', 'one');
    await call('appendFile', 'f', 'two');
    log(await call('readFile', 'f', 'utf8'), (await call('stat', 'f')).size);
    const fd = await call('open', 'f', 'r+');
    log((await call('write', fd, 'XY', 1)).bytesWritten);
    log((await call('read', fd, Buffer.alloc(4), 0, 4, 0)).buffer);
    await call('ftruncate', fd, 2);
    await call('fsync', fd);
    await call('futimes', fd, 5, 6);
    log((await call('fstat', fd)).size);
    await call('close', fd);
    log((await call('stat', 'f')).mtimeMs);
  },
  async callbacks_on_names({ log }) {
    log(await call('mkdir', 'a/b', { recursive: true }));
    await call('rename', 'a/b', 'a/c');
    log(await call('readdir', 'a'), await call('realpath', 'a/c') === process.cwd() + '/a/c');
    await call('rmdir', 'a/c');
    await call('writeFile', 'f', 'x');
    await call('copyFile', 'f', 'g');
    await call('chmod', 'g', 0o600);
    await call('utimes', 'g', 1, 2);
    await call('truncate', 'g', 0);
    await call('unlink', 'f');
    log(await call('readdir', '.'), (await call('stat', 'g')).mode.toString(8));
    log(await new Promise((resolve) => fs.exists('g', resolve)));
    log((await call('mkdtemp', 'tmp-')).length);
  },
  async callbacks_come_later_and_in_their_context({ log }) {
    const storage = new AsyncLocalStorage();
    fs.writeFileSync('f', '');
    await storage.run('mine', () => new Promise((resolve) => {
      fs.stat('f', () => {
        log('stat', storage.getStore());
        process.nextTick(() => log('tick'));
        fs.readFile('nope', () => { log('error', storage.getStore()); resolve(); });
      });
      log('first');
    }));
    await new Promise((resolve) => { setTimeout(resolve, 5); });
    log('end', storage.getStore());
  },
  async promises_on_files({ log }) {
    await fsp.writeFile('f', 'hello');
    await fsp.appendFile('f', ' world');
    log(await fsp.readFile('f', 'utf8'), await fsp.readFile('f', { encoding: 'base64' }));
    await fsp.truncate('f', 3);
    log((await fsp.stat('f')).size, (await fsp.lstat('f', { bigint: true })).size);
    await fsp.writeFile('g', async function* () { yield 'a'; yield 'b'; }());
    log(await fsp.readFile('g', 'utf8'));
  },
  async promises_on_names({ log }) {
    log(await fsp.mkdir('a/b/c', { recursive: true }) === fs.mkdirSync('z/b/c', { recursive: true }));
    await fsp.rename('a/b', 'a/d');
    log(await fsp.readdir('a', { withFileTypes: true }), await fsp.readdir('.', { recursive: true }));
    await fsp.rm('a', { recursive: true });
    await fsp.writeFile('f', '');
    await fsp.chmod('f', 0o604);
    await fsp.utimes('f', 3, 4);
    await fsp.access('f');
    await fsp.copyFile('f', 'g');
    await fsp.cp('z', 'y', { recursive: true });
    await fsp.unlink('f');
    log(await fsp.readdir('.'), await fsp.realpath('y') === process.cwd() + '/y');
  },
  async file_handles({ log, attempt }) {
    const handle = await fsp.open('f', 'w+');
    log((await handle.write('hello')).bytesWritten, (await handle.write(Buffer.from('J'), 0, 1, 0)).bytesWritten);
    log(await handle.read(Buffer.alloc(9), 0, 9, 0));
    await handle.writev([Buffer.from('1'), Buffer.from('2')], 3);
    log(await handle.readv([Buffer.alloc(2), Buffer.alloc(2)], 0));
    await handle.truncate(4);
    await handle.sync();
    await handle.datasync();
    await handle.chmod(0o600);
    await handle.utimes(7, 8);
    log((await handle.stat()).size, (await handle.stat()).mtimeMs);
    await handle.appendFile('!');
    await handle.close();
    log(fs.readFileSync('f', 'utf8'));
    await attempt.later(() => handle.read(Buffer.alloc(1)));
  },
  async file_handle_lines_and_streams({ log }) {
    await fsp.writeFile('f', 'one\ntwo\nthree');
    const handle = await fsp.open('f');
    for await (const line of handle.readLines()) log(line);
    const other = await fsp.open('f');
    const chunks = [];
    for await (const chunk of other.readableWebStream()) chunks.push(Buffer.from(chunk));
    await other.close();
    log(Buffer.concat(chunks).toString());
  },
  async directories({ log }) {
    fs.mkdirSync('d/sub', { recursive: true });
    for (const name of ['a', 'b', 'c']) fs.writeFileSync(`d/${name}`, '');
    const names = [];
    for await (const entry of await fsp.opendir('d', { bufferSize: 2 })) {
      names.push([entry.name, entry.isDirectory(), entry.isFile(), entry.parentPath]);
    }
    log(names.sort());
    const dir = fs.opendirSync('d');
    const seen = [];
    for (let entry; (entry = dir.readSync()) !== null;) seen.push(entry.name);
    dir.closeSync();
    log(seen.sort(), dir.path);
    const third = await call('opendir', 'd');
    log((await third.read()) !== null);
    await third.close();
  },
  async many_at_once({ log }) {
    await Promise.all(Array.from({ length: 100 }, (_, i) => fsp.writeFile(`f${i}`, `${i}`)));
    const texts = await Promise.all(Array.from({ length: 100 }, (_, i) => fsp.readFile(`f${i}`, 'utf8')));
    log(texts.join() === Array.from({ length: 100 }, (_, i) => i).join(), fs.readdirSync('.').length);
  },
  async streams_write_then_read({ log }) {
    const out = fs.createWriteStream('big');
    for (let i = 0; i < 5000; i++) out.write(`line ${i}\n`);
    await new Promise((resolve) => out.end(resolve));
    log(out.bytesWritten, out.path);
    let bytes = 0;
    for await (const chunk of fs.createReadStream('big')) bytes += chunk.length;
    log(bytes);
    const part = [];
    for await (const chunk of fs.createReadStream('big', { start: 3, end: 20, encoding: 'utf8' })) part.push(chunk);
    log(part.join(''));
  },
  async streams_append_and_position({ log }) {
    fs.writeFileSync('f', '0123456789');
    await new Promise((resolve) => fs.createWriteStream('f', { flags: 'a' }).end('END', resolve));
    await new Promise((resolve) => fs.createWriteStream('f', { flags: 'r+', start: 2 }).end('xx', resolve));
    log(fs.readFileSync('f', 'utf8'));
  },
  async streams_fail_by_event({ log }) {
    await new Promise((resolve) => fs.createReadStream('nope').on('error', (e) => { log(e); resolve(); }));
    await new Promise((resolve) => fs.createWriteStream('no/x').on('error', (e) => { log(e); resolve(); }));
  },
  async pipelines_and_compression({ log }) {
    const { pipeline } = require('stream/promises');
    const zlib = require('zlib');
    fs.writeFileSync('f', 'data '.repeat(10000));
    await pipeline(fs.createReadStream('f'), zlib.createGzip(), fs.createWriteStream('f.gz'));
    await pipeline(fs.createReadStream('f.gz'), zlib.createGunzip(), fs.createWriteStream('g'));
    log(fs.readFileSync('g').equals(fs.readFileSync('f')), fs.statSync('f.gz').size < 1000);
  },
  async reading_lines({ log }) {
    fs.writeFileSync('f', 'a\nb\nc\n');
    const lines = [];
    for await (const line of require('readline').createInterface({ input: fs.createReadStream('f') })) {
      lines.push(line);
    }
    log(lines);
  },
  async blobs({ log }) {
    fs.writeFileSync('f', 'blob');
    const blob = await fs.openAsBlob('f', { type: 'text/plain' });
    log(await blob.text(), blob.size, blob.type);
  },
  async using_stdin_devices({ log }) {
    fs.writeFileSync('/dev/null', 'gone');
    log(fs.readFileSync('/dev/null').length, fs.readFileSync('/dev/null', 'utf8'));
    const fd = fs.openSync('/dev/zero');
    const bytes = Buffer.alloc(4, 1);
    log(fs.readSync(fd, bytes), bytes);
    fs.closeSync(fd);
  },
};
