'use strict';
// Symbolic and hard links, in all styles of calling.
const fs = require('fs');
const path = require('path');

const fsp = fs.promises;
const here = () => process.cwd();

function plant() {
  fs.mkdirSync('d/e', { recursive: true });
  fs.writeFileSync('d/f', 'content');
  fs.symlinkSync('d', 'to-d');
  fs.symlinkSync(path.join(here(), 'd/f'), 'to-f');
  fs.symlinkSync('nothing', 'dangling');
  fs.symlinkSync('loop', 'loop');
  fs.symlinkSync('../..', 'd/e/up', 'dir');
}

const kinds = (stats) => [stats.isSymbolicLink(), stats.isDirectory(), stats.isFile()];

module.exports = {
  links_say_what_they_were_given({ log, attempt }) {
    plant();
    log(fs.readlinkSync('to-d'), fs.readlinkSync('to-f') === `${here()}/d/f`);
    log(fs.readlinkSync('to-d', 'buffer'), fs.readlinkSync(Buffer.from('d/e/up'), 'hex'));
    fs.symlinkSync(Buffer.from([0x2f, 0xff]), Buffer.from([0x6c, 0xfe]));
    log(fs.readlinkSync(Buffer.from([0x6c, 0xfe]), 'buffer'));
    attempt(() => fs.readlinkSync('d/f'));
    attempt(() => fs.readlinkSync('nope'));
    attempt(() => fs.symlinkSync('x', 'to-d'));
    attempt(() => fs.symlinkSync('x', 'no/x'));
    attempt(() => fs.symlinkSync('', 'empty'));
  },
  stat_follows_and_lstat_does_not({ log, attempt }) {
    plant();
    for (const name of ['to-d', 'to-f', 'dangling', 'd/e/up']) {
      log(name, kinds(fs.lstatSync(name)), fs.lstatSync(name).nlink, fs.existsSync(name));
      attempt(() => kinds(fs.statSync(name)));
    }
    log(fs.lstatSync('to-d').mode.toString(8), fs.lstatSync('dangling').size);
    attempt(() => fs.statSync('loop'));
    attempt(() => fs.statSync('to-f/'));
    attempt(() => fs.accessSync('dangling'));
    log(fs.statSync('dangling', { throwIfNoEntry: false }));
  },
  reading_goes_through({ log, attempt }) {
    plant();
    log(fs.readFileSync('to-f', 'utf8'), fs.readFileSync('to-d/e/up/to-d/f', 'utf8'));
    log(fs.readdirSync('to-d'), fs.readdirSync('to-d/e/up'));
    fs.writeFileSync('dangling', 'made');
    log(fs.readFileSync('nothing', 'utf8'), fs.lstatSync('dangling').isSymbolicLink());
    fs.unlinkSync('nothing');
    attempt(() => fs.openSync('dangling', 'wx'));
    attempt(() => fs.openSync('to-f', fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW));
    attempt(() => fs.readFileSync('loop'));
  },
  real_paths_have_no_links({ log, attempt }) {
    plant();
    for (const real of [fs.realpathSync, fs.realpathSync.native]) {
      log(real('to-d/e/up/to-f') === `${here()}/d/f`, real('to-d/..') === here());
      attempt(() => real('dangling'));
      attempt(() => real('loop'));
    }
  },
  entries_know_what_they_are({ log }) {
    plant();
    log(fs.readdirSync('.', { withFileTypes: true }).map((e) => [e.name, ...kinds(e)]));
    const dir = fs.opendirSync('d/e');
    log(kinds(dir.readSync()));
    dir.closeSync();
  },
  attributes_of_the_link_and_of_its_target({ log }) {
    plant();
    fs.chmodSync('to-f', 0o600);
    fs.utimesSync('to-f', 10, 20);
    fs.lutimesSync('to-f', 30, 40);
    log(fs.statSync('d/f').mode.toString(8), fs.statSync('d/f').mtimeMs);
    log(fs.lstatSync('to-f').mode.toString(8), fs.lstatSync('to-f').mtimeMs);
    fs.lchownSync('dangling', process.getuid(), process.getgid());
    fs.truncateSync('to-f', 3);
    log(fs.readFileSync('d/f', 'utf8'));
  },
  removing_and_renaming_are_about_the_link({ log, attempt }) {
    plant();
    fs.renameSync('to-f', 'moved');
    attempt(() => fs.rmdirSync('to-d'));
    attempt(() => fs.mkdirSync('dangling'));
    fs.unlinkSync('moved');
    fs.rmSync('to-d', { recursive: true });
    fs.rmSync('dangling');
    fs.rmSync('loop', { force: true });
    log(fs.readdirSync('.'), fs.readdirSync('d'));
    fs.rmSync('d', { recursive: true });
    log(fs.readdirSync('.'));
  },
  names_share_a_file({ log, attempt }) {
    plant();
    fs.linkSync('d/f', 'hard');
    log(fs.statSync('hard').nlink, fs.statSync('hard').ino === fs.statSync('d/f').ino);
    fs.appendFileSync('hard', ' more');
    log(fs.readFileSync('d/f', 'utf8'));
    fs.renameSync('hard', 'd/f');
    log(fs.existsSync('hard'), fs.statSync('d/f').nlink);
    fs.unlinkSync('d/f');
    log(fs.readFileSync('hard', 'utf8'), fs.statSync('hard').nlink);
    fs.linkSync('to-d', 'soft');
    log(fs.readlinkSync('soft'), fs.lstatSync('to-d').nlink);
    attempt(() => fs.linkSync('d', 'x'));
    attempt(() => fs.linkSync('hard', 'dangling'));
    attempt(() => fs.linkSync('nope', 'x'));
    attempt(() => fs.linkSync('', 'x'));
  },
  copying_trees({ log, attempt }) {
    plant();
    fs.rmSync('d/e/up');
    fs.symlinkSync('../f', 'd/e/rel');
    fs.cpSync('d', 'kept', { recursive: true, verbatimSymlinks: true });
    log(fs.readlinkSync('kept/e/rel'), fs.readFileSync('kept/e/rel', 'utf8'));
    fs.cpSync('d', 'whole', { recursive: true });
    log(fs.readlinkSync('whole/e/rel') === `${here()}/d/f`);
    fs.cpSync('to-f', 'link');
    log(fs.lstatSync('link').isSymbolicLink());
    fs.copyFileSync('to-f', 'copied');
    log(kinds(fs.lstatSync('copied')));
    attempt(() => fs.copyFileSync('to-f', 'd/f'));
  },
  working_directories_are_real({ log }) {
    plant();
    const before = here();
    process.chdir('to-d/e/up/to-d');
    log(here() === `${before}/d`, fs.existsSync('e'));
    process.chdir(before);
  },
  modules_are_found_through_links({ log }) {
    fs.mkdirSync('store/pkg', { recursive: true });
    fs.writeFileSync('store/pkg/index.js', 'exports.at = __filename; exports.n = (exports.n ?? 0) + 1');
    fs.mkdirSync('node_modules');
    fs.symlinkSync('../store/pkg', 'node_modules/pkg');
    const load = require('module').createRequire(`${here()}/main.js`);
    log(load('pkg').at === `${here()}/store/pkg/index.js`);
    log(load('pkg') === load('./store/pkg'));
  },
  async promises({ log, attempt }) {
    plant();
    log(await fsp.readlink('to-d'), kinds(await fsp.lstat('to-f')), kinds(await fsp.stat('to-f')));
    await fsp.symlink('d/e', 'new');
    await fsp.link('d/f', 'hard');
    await fsp.lutimes('new', 1, 2);
    log(await fsp.realpath('new') === `${here()}/d/e`, (await fsp.stat('hard')).nlink);
    log((await fsp.lstat('new')).mtimeMs);
    await fsp.rm('d/e/up');
    await fsp.cp('d', 'copy', { recursive: true });
    await fsp.rm('copy', { recursive: true });
    await fsp.cp('to-f', 'file', { dereference: true });
    log(kinds(await fsp.lstat('file')));
    await attempt.later(() => fsp.symlink('x', 'new'));
    await attempt.later(() => fsp.link('d', 'x'));
    await attempt.later(() => fsp.readlink('d'));
    await attempt.later(() => fsp.readlink('nope', 'buffer'));
    log(await fsp.readdir('.'));
  },
  async callbacks({ log }) {
    plant();
    const call = (name, ...args) => new Promise((resolve) => {
      fs[name](...args, (error, value) => resolve(error ? error.message : value));
    });
    log(await call('readlink', 'to-d'), await call('symlink', 'a', 'b'), await call('symlink', 'a', 'b'));
    log(await call('link', 'd/f', 'h'), await call('link', 'd', 'x'), await call('readlink', 'd'));
    log(kinds(await call('lstat', 'b')), await call('stat', 'b'), await call('realpath', 'b'));
    log(await call('realpath', 'to-d/e/up') === here(), await call('exists', 'b'));
  },
};
