'use strict';
const fs = require('fs');
const path = require('path');

module.exports = {
  write_and_read_text({ log }) {
    fs.writeFileSync('a.txt', 'hällo\n');
    log(fs.readFileSync('a.txt', 'utf8'), fs.readFileSync('a.txt'), fs.statSync('a.txt').size);
  },
  write_and_read_bytes({ log }) {
    fs.writeFileSync('a.bin', Buffer.from([0, 255, 10, 13]));
    log(fs.readFileSync('a.bin', 'latin1'), fs.readFileSync('a.bin', 'hex'));
  },
  absolute_and_relative_paths_are_the_same_file({ log }) {
    fs.writeFileSync('x', '1');
    log(fs.readFileSync(path.resolve('x'), 'utf8'), fs.readFileSync('./../' +
      path.basename(process.cwd()) + '/x', 'utf8'));
  },
  paths_as_url_and_buffer({ log }) {
    fs.writeFileSync(Buffer.from('x'), '1');
    log(fs.readFileSync(require('url').pathToFileURL('x'), 'utf8'), fs.existsSync(Buffer.from('x')));
  },
  append_grows_a_file({ log }) {
    fs.appendFileSync('log', 'one\n');
    fs.appendFileSync('log', Buffer.from('two\n'));
    fs.writeFileSync('log', 'three\n', { flag: 'a' });
    log(fs.readFileSync('log', 'utf8'));
  },
  open_read_write_seek({ log }) {
    const fd = fs.openSync('f', 'w+');
    log(fs.writeSync(fd, 'hello world'), fs.writeSync(fd, Buffer.from('HELLO'), 0, 3, 2));
    const buffer = Buffer.alloc(20, '.');
    log(fs.readSync(fd, buffer, 0, 5, 1), buffer.toString());
    log(fs.readSync(fd, buffer), fs.readSync(fd, buffer, { position: 0n, length: 4 }));
    fs.closeSync(fd);
  },
  vectors({ log }) {
    const fd = fs.openSync('v', 'w+');
    log(fs.writevSync(fd, [Buffer.from('ab'), Buffer.from('cd')]), fs.writevSync(fd, [Buffer.from('X')], 1));
    const parts = [Buffer.alloc(1), Buffer.alloc(8)];
    log(fs.readvSync(fd, parts, 0), parts);
    fs.closeSync(fd);
  },
  append_flag_ignores_position({ log }) {
    fs.writeFileSync('f', 'abc');
    const fd = fs.openSync('f', 'a+');
    fs.writeSync(fd, 'X', 0);
    fs.closeSync(fd);
    log(fs.readFileSync('f', 'utf8'));
  },
  exclusive_create({ log, attempt }) {
    fs.closeSync(fs.openSync('f', 'wx'));
    attempt(() => fs.openSync('f', 'wx'));
    attempt(() => fs.writeFileSync('f', 'x', { flag: 'wx' }));
  },
  truncate_by_name_and_descriptor({ log }) {
    fs.writeFileSync('f', '0123456789');
    fs.truncateSync('f', 4);
    const fd = fs.openSync('f', 'r+');
    fs.ftruncateSync(fd, 6);
    log(fs.fstatSync(fd).size, fs.readFileSync('f'));
    fs.closeSync(fd);
  },
  stat_fields({ log }) {
    fs.writeFileSync('f', 'abc');
    fs.chmodSync('f', 0o640);
    fs.utimesSync('f', 1000.5, 2000.25);
    const s = fs.statSync('f');
    log(s.size, s.mode.toString(8), s.nlink, s.isFile(), s.isDirectory(), s.mtimeMs, s.atime, s.blksize);
    const b = fs.statSync('f', { bigint: true });
    log(typeof b.ino, b.mtimeNs, b.size, b.ino === fs.lstatSync('f', { bigint: true }).ino);
  },
  stat_of_descriptor_and_of_name_agree({ log }) {
    const fd = fs.openSync('f', 'w');
    fs.writeSync(fd, 'abcd');
    const [a, b] = [fs.fstatSync(fd), fs.statSync('f')];
    log(a.ino === b.ino, a.dev === b.dev, a.size, b.size);
    fs.closeSync(fd);
  },
  stat_without_throwing({ log }) {
    log(fs.statSync('nope', { throwIfNoEntry: false }), fs.lstatSync('nope/x', { throwIfNoEntry: false }));
  },
  exists_and_access({ log, attempt }) {
    fs.writeFileSync('f', '');
    log(fs.existsSync('f'), fs.existsSync('nope'), fs.existsSync('.'), fs.existsSync(''));
    attempt(() => fs.accessSync('f', fs.constants.R_OK));
    attempt(() => fs.accessSync('nope'));
  },
  rename_replaces({ log }) {
    fs.writeFileSync('a', 'A');
    fs.writeFileSync('b', 'B');
    fs.renameSync('a', 'b');
    log(fs.readdirSync('.'), fs.readFileSync('b', 'utf8'));
  },
  copy_file({ log, attempt }) {
    fs.writeFileSync('a', 'x'.repeat(700000));
    fs.chmodSync('a', 0o755);
    fs.copyFileSync('a', 'b');
    log(fs.statSync('b').size, fs.statSync('b').mode.toString(8));
    attempt(() => fs.copyFileSync('a', 'b', fs.constants.COPYFILE_EXCL));
    attempt(() => fs.copyFileSync('a', 'a'));
    attempt(() => fs.copyFileSync('nope', 'c'));
    attempt(() => fs.copyFileSync('a', 'no/c'));
    attempt(() => fs.copyFileSync('.', 'c'));
  },
  make_temporary_directory({ log }) {
    const name = fs.mkdtempSync('t-');
    log(/^t-[A-Za-z0-9]{6}$/.test(name), fs.statSync(name).mode.toString(8));
    log(Buffer.isBuffer(fs.mkdtempSync('u-', 'buffer')));
  },
  real_path({ log, attempt }) {
    fs.mkdirSync('d');
    log(fs.realpathSync('d/../d/.') === path.resolve('d'), fs.realpathSync.native('d') === path.resolve('d'));
    attempt(() => fs.realpathSync('nope/x'));
    attempt(() => fs.realpathSync.native('nope'));
  },
  sync_and_times_of_a_descriptor({ log }) {
    const fd = fs.openSync('f', 'w');
    fs.writeSync(fd, 'x');
    fs.fsyncSync(fd);
    fs.fdatasyncSync(fd);
    fs.fchmodSync(fd, 0o600);
    fs.futimesSync(fd, 10, 20);
    log(fs.fstatSync(fd).mtimeMs, fs.fstatSync(fd).mode.toString(8));
    fs.closeSync(fd);
    log(fs.statSync('f').mtimeMs);
  },
  umask_applies({ log }) {
    const before = process.umask(0o077);
    fs.writeFileSync('f', '');
    fs.mkdirSync('d');
    process.umask(before);
    log(fs.statSync('f').mode.toString(8), fs.statSync('d').mode.toString(8), before);
  },
  listing_with_types({ log }) {
    fs.mkdirSync('d');
    fs.writeFileSync('f', '');
    log(fs.readdirSync('.', { withFileTypes: true }), fs.readdirSync('.', { withFileTypes: true })[0].isDirectory());
  },
  large_file({ log }) {
    const data = Buffer.alloc(3 << 20, 'abcdefg');
    fs.writeFileSync('big', data);
    log(fs.readFileSync('big').equals(data), fs.readFileSync('big', 'utf8').length);
  },
  file_names_of_all_kinds({ log }) {
    for (const name of ['ä ö', 'a\nb', '日本', '-x', '..y']) fs.writeFileSync(name, name);
    log(fs.readdirSync('.'), fs.readdirSync('.', 'buffer'), fs.readdirSync('.', 'hex'));
  },
  names_that_are_not_utf8({ log }) {
    const name = Buffer.from([0x66, 0xff, 0xfe]);
    fs.writeFileSync(name, '1');
    log(fs.readdirSync('.', 'buffer'), fs.readFileSync(name, 'utf8'), fs.readdirSync('.'));
  },
  remove_tree({ log, attempt }) {
    fs.mkdirSync('d/e/f', { recursive: true });
    fs.writeFileSync('d/e/x', '');
    attempt(() => fs.rmSync('d'));
    attempt(() => fs.rmdirSync('d'));
    fs.rmSync('d', { recursive: true });
    fs.rmSync('gone', { force: true });
    attempt(() => fs.rmSync('gone'));
    log(fs.readdirSync('.'));
  },
  copy_tree({ log, attempt }) {
    fs.mkdirSync('d/e', { recursive: true });
    fs.writeFileSync('d/e/x', 'X');
    fs.cpSync('d', 'copy', { recursive: true });
    log(fs.readdirSync('copy', { recursive: true }), fs.readFileSync('copy/e/x', 'utf8'));
    fs.writeFileSync('one', '1');
    fs.cpSync('one', 'two');
    fs.cpSync('one', 'd/e/x', { force: true });
    log(fs.readFileSync('d/e/x', 'utf8'), fs.readFileSync('two', 'utf8'));
    for (const args of [['d', 'd/sub', { recursive: true }], ['d', 'plain'], ['one', 'd'],
                        ['nope', 'x'], ['one', 'one'], ['d', 'one', { recursive: true }],
                        ['one', 'two', { force: false, errorOnExist: true }]]) {
      try { fs.cpSync(...args); log('copied'); } catch (e) { log(e.code, e.message); }
    }
  },
  glob_or_recursive_listing({ log }) {
    fs.mkdirSync('a/b', { recursive: true });
    fs.writeFileSync('a/b/c.txt', '');
    log(fs.readdirSync('.', { recursive: true, withFileTypes: true }).map((e) =>
      [e.name, e.isFile()]));
    if (fs.globSync) log(fs.globSync('**/*.txt'));
  },
};
