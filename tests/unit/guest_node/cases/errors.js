'use strict';
// Each failure as the program sees it: code, errno, syscall, path, dest, message, stack.
const fs = require('fs');

module.exports = {
  open_of_a_missing_file({ attempt }) {
    attempt(() => fs.openSync('nope'));
    attempt(() => fs.readFileSync('nope'));
    attempt(() => fs.readFileSync('nope', 'utf8'));
    attempt(() => fs.writeFileSync('no/file', 'x'));
    attempt(() => fs.writeFileSync('no/file', Buffer.from('x')));
    attempt(() => fs.openSync(''));
  },
  a_directory_where_a_file_should_be({ attempt }) {
    fs.mkdirSync('d');
    attempt(() => fs.readFileSync('d'));
    attempt(() => fs.readFileSync('d', 'utf8'));
    attempt(() => fs.writeFileSync('d', 'x'));
    attempt(() => fs.unlinkSync('d/'));
    attempt(() => fs.truncateSync('d', 0));
  },
  a_file_where_a_directory_should_be({ attempt }) {
    fs.writeFileSync('f', '');
    attempt(() => fs.readdirSync('f'));
    attempt(() => fs.opendirSync('f'));
    attempt(() => fs.rmdirSync('f'));
    attempt(() => fs.mkdirSync('f/x'));
    attempt(() => fs.statSync('f/x'));
    attempt(() => fs.readFileSync('f/'));
    attempt(() => process.chdir('f'));
  },
  missing_names({ attempt }) {
    for (const name of ['statSync', 'lstatSync', 'readdirSync', 'unlinkSync', 'rmdirSync',
                        'readlinkSync', 'opendirSync', 'accessSync']) {
      attempt(() => fs[name]('nope'));
    }
    attempt(() => fs.chmodSync('nope', 0o600));
    attempt(() => fs.chownSync('nope', 1, 1));
    attempt(() => fs.utimesSync('nope', 1, 1));
    attempt(() => fs.lutimesSync('nope', 1, 1));
    attempt(() => fs.renameSync('nope', 'x'));
    attempt(() => fs.mkdtempSync('no/x'));
    attempt(() => process.chdir('nope'));
  },
  existing_names({ attempt }) {
    fs.mkdirSync('d');
    fs.writeFileSync('f', '');
    attempt(() => fs.mkdirSync('d'));
    attempt(() => fs.mkdirSync('f'));
    attempt(() => fs.mkdirSync('f', { recursive: true }));
    attempt(() => fs.mkdirSync('f/x/y', { recursive: true }));
    attempt(() => fs.renameSync('f', 'd'));
    attempt(() => fs.renameSync('d', 'f'));
  },
  bad_descriptors({ attempt }) {
    const fd = fs.openSync('f', 'w');
    attempt(() => fs.readSync(fd, Buffer.alloc(1)));
    fs.closeSync(fd);
    attempt(() => fs.closeSync(fd));
    attempt(() => fs.writeSync(fd, 'x'));
    attempt(() => fs.fstatSync(fd));
    attempt(() => fs.fsyncSync(fd));
  },
  too_long_names({ attempt }) {
    attempt(() => { fs.statSync('x'.repeat(300)); });
  },
  arguments_that_node_refuses({ attempt }) {
    attempt(() => fs.readFileSync(7.5));
    attempt(() => fs.openSync('a\0b'));
    attempt(() => fs.mkdirSync());
    attempt(() => fs.readSync(0, Buffer.alloc(1), 2, 9));
  },
  async async_failures({ log }) {
    const seen = (name, ...args) => new Promise((resolve) => {
      fs[name](...args, (error) => { log(error, error.stack); resolve(); });
    });
    fs.writeFileSync('f', '');
    await seen('open', 'nope', 'r');
    await seen('readFile', 'nope');
    await seen('stat', 'nope');
    await seen('readdir', 'nope');
    await seen('opendir', 'nope');
    await seen('mkdir', 'f');
    await seen('mkdir', 'f/x', { recursive: true });
    await seen('rename', 'nope', 'x');
    await seen('copyFile', 'nope', 'x');
    await seen('rm', 'nope');
    await seen('access', 'nope');
    await seen('realpath', 'nope');
  },
  async rejected_promises({ attempt }) {
    const fsp = fs.promises;
    fs.mkdirSync('d');
    await attempt.later(() => fsp.readFile('nope'));
    await attempt.later(() => fsp.readFile('d'));
    await attempt.later(() => fsp.open('nope'));
    await attempt.later(() => fsp.stat('nope'));
    await attempt.later(() => fsp.mkdir('d'));
    await attempt.later(() => fsp.rm('nope'));
    await attempt.later(() => fsp.rmdir('nope'));
    await attempt.later(() => fsp.opendir('nope'));
    await attempt.later(() => fsp.copyFile('nope', 'x'));
    await attempt.later(() => fsp.writeFile('no/x', ''));
  },
};
