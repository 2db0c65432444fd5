'use strict';
// Copying and removing trees: cp, rm, and rmdir with all below.
const fs = require('fs');

const recursive = { recursive: true };

function fill() {
  fs.mkdirSync('s/sub/deep', recursive);
  fs.writeFileSync('s/a', 'a', { mode: 0o640 });
  fs.writeFileSync('s/sub/b', 'b');
  fs.symlinkSync('a', 's/l');
}
const listed = (name) => fs.readdirSync(name, recursive).sort();
const read = (name) => fs.readFileSync(name, 'utf8');
// All three kinds of one call, each on its own copy of the names.
const kinds = (name, { tried, called, settled }) => [
  async (...args) => tried(() => fs[`${name}Sync`](...args)),
  (...args) => called(fs[name], ...args),
  (...args) => settled(fs.promises[name](...args)),
];

module.exports = {
  async 'cp of a tree'(tools) {
    fill();
    const found = [];
    for (const [i, cp] of kinds('cp', tools).entries()) {
      found.push(
        await cp('s', `t${i}`, recursive),
        listed(`t${i}`),
        read(`t${i}/a`),
        (fs.statSync(`t${i}/a`).mode & 0o777).toString(8),
        fs.readlinkSync(`t${i}/l`),
      );
    }
    return found;
  },
  async 'cp of one file'(tools) {
    fill();
    const found = [];
    for (const [i, cp] of kinds('cp', tools).entries())
      found.push(await cp('s/a', `new${i}/x`), read(`new${i}/x`));
    return found;
  },
  async 'cp of a directory needs recursive'(tools) {
    fill();
    return Promise.all(kinds('cp', tools).map((cp) => cp('s', 't')));
  },
  async 'cp of what is not there'(tools) {
    return Promise.all(kinds('cp', tools).map((cp) => cp('none', 't')));
  },
  async 'cp: force, errorOnExist'(tools) {
    fill();
    const found = [];
    for (const cp of kinds('cp', tools)) {
      fs.writeFileSync('t', 'old');
      found.push(
        await cp('s/a', 't', { force: false }),
        read('t'),
        await cp('s/a', 't', { force: false, errorOnExist: true }),
        read('t'),
        await cp('s/a', 't'),
        read('t'),
      );
    }
    return found;
  },
  async 'cp over a tree merges'(tools) {
    fill();
    const found = [];
    for (const [i, cp] of kinds('cp', tools).entries()) {
      fs.mkdirSync(`t${i}/sub`, recursive);
      fs.writeFileSync(`t${i}/sub/own`, 'own');
      fs.writeFileSync(`t${i}/a`, 'old');
      found.push(await cp('s', `t${i}`, recursive), listed(`t${i}`), read(`t${i}/a`));
    }
    return found;
  },
  async 'cp: into itself, onto itself, file over directory and the reverse'(tools) {
    fill();
    fs.writeFileSync('f', '');
    const found = [];
    for (const cp of kinds('cp', tools)) {
      for (const [from, to] of [
        ['s', 's'],
        ['s/a', 's/a'],
        ['s', 's/sub/in'],
        ['s', 'f'],
        ['f', 's'],
      ]) {
        const error = await cp(from, to, recursive);
        found.push([from, to, error && error.code, error && error.name]);
      }
    }
    return found;
  },
  async 'cp: dereference copies what links lead to'(tools) {
    fill();
    const found = [];
    for (const [i, cp] of kinds('cp', tools).entries()) {
      found.push(
        await cp('s', `t${i}`, { recursive: true, dereference: true }),
        fs.lstatSync(`t${i}/l`).isFile(),
        read(`t${i}/l`),
      );
    }
    return found;
  },
  async 'cp: verbatimSymlinks'(tools) {
    fill();
    const found = [];
    for (const [i, cp] of kinds('cp', tools).entries()) {
      found.push(
        await cp('s', `t${i}`, { recursive: true, verbatimSymlinks: true }),
        fs.readlinkSync(`t${i}/l`),
      );
    }
    return found;
  },
  async 'cp: preserveTimestamps'(tools) {
    fill();
    fs.utimesSync('s/a', 100, 200);
    const found = [];
    for (const [i, cp] of kinds('cp', tools).entries()) {
      found.push(
        await cp('s', `t${i}`, { recursive: true, preserveTimestamps: true }),
        fs.statSync(`t${i}/a`).mtimeMs,
      );
    }
    return found;
  },
  async 'cp: filter'(tools) {
    fill();
    const found = [];
    for (const [i, cp] of kinds('cp', tools).entries()) {
      found.push(
        await cp('s', `t${i}`, { recursive: true, filter: (from) => !from.endsWith('b') }),
        listed(`t${i}`),
      );
    }
    await fs.promises.cp('s', 'async', {
      recursive: true,
      filter: async (from) => !from.endsWith('l'),
    });
    return [...found, listed('async')];
  },
  async 'cp: mode COPYFILE_EXCL'(tools) {
    fill();
    fs.writeFileSync('t', 'old');
    const found = [];
    for (const cp of kinds('cp', tools)) {
      const error = await cp('s/a', 't', { mode: fs.constants.COPYFILE_EXCL, force: true });
      found.push(error && error.code, read('t'));
    }
    return found;
  },
  async 'cp: argument errors'(tools) {
    const { tried } = tools;
    return [
      tried(() => fs.cpSync('a', 'b', { recursive: 1 })),
      tried(() => fs.cpSync('a')),
      tried(() => fs.cpSync(1, 'b')),
      tried(() => fs.cpSync('a', 'b', { filter: 1 })),
      tried(() => fs.cpSync('a', 'b', { mode: -1 })),
      tried(() => fs.cpSync('a', 'b', { dereference: true, verbatimSymlinks: true })),
      tried(() => fs.cp('a', 'b', {})),
    ];
  },
  async 'rm of files and links'(tools) {
    const found = [];
    for (const rm of kinds('rm', tools)) {
      fs.writeFileSync('f', '');
      fs.symlinkSync('f', 'l');
      found.push(
        await rm('l'),
        fs.existsSync('f'),
        await rm('f'),
        fs.existsSync('f'),
        await rm('f'),
        await rm('f', { force: true }),
      );
    }
    return found;
  },
  async 'rm of a directory'(tools) {
    const found = [];
    for (const rm of kinds('rm', tools)) {
      fs.mkdirSync('d/e/f', recursive);
      fs.writeFileSync('d/e/x', '');
      found.push(
        await rm('d'),
        fs.existsSync('d'),
        await rm('d', recursive),
        fs.existsSync('d'),
        await rm('d', recursive),
        await rm('d', { recursive: true, force: true }),
      );
    }
    return found;
  },
  async 'rm follows no link to a directory'(tools) {
    const found = [];
    fs.mkdirSync('kept');
    fs.writeFileSync('kept/f', '');
    for (const rm of kinds('rm', tools)) {
      fs.symlinkSync('kept', 'l');
      found.push(await rm('l', recursive), fs.existsSync('l'), fs.existsSync('kept/f'));
    }
    return found;
  },
  async 'rm: argument errors'({ tried }) {
    return [
      tried(() => fs.rmSync('a', { recursive: 'x' })),
      tried(() => fs.rmSync('a', { force: 1 })),
      tried(() => fs.rmSync()),
      tried(() => fs.rmSync('a', { retryDelay: -1 })),
      tried(() => fs.rmSync('a', { maxRetries: 'x' })),
      tried(() => fs.rm('a', 'x')),
    ];
  },
  async 'rmdir with all below, as far as this Node has it'(tools) {
    const found = [];
    const emit = process.emitWarning;
    process.emitWarning = () => {}; // It is deprecated.
    for (const rmdir of kinds('rmdir', tools)) {
      fs.mkdirSync('d/e', recursive);
      const error = await rmdir('d', recursive);
      found.push(error && error.code, fs.existsSync('d'));
      fs.rmSync('d', { recursive: true, force: true });
    }
    process.emitWarning = emit;
    return found;
  },
};
