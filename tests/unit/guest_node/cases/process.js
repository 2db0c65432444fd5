'use strict';
const fs = require('fs');
const path = require('path');

module.exports = {
  change_directory({ log, attempt }) {
    fs.mkdirSync('a/b', { recursive: true });
    const start = process.cwd();
    process.chdir('a');
    fs.writeFileSync('here', '1');
    process.chdir('b');
    log(path.relative(start, process.cwd()), fs.readFileSync('../here', 'utf8'), path.resolve('x') === start + '/a/b/x');
    process.chdir('..');
    log(fs.readdirSync('.'));
    attempt(() => process.chdir('nope'));
    log(path.relative(start, process.cwd()));
  },
  signals_to_itself({ log }) {
    log(process.kill(process.pid, 0));
    let seen = 0;
    process.once('SIGUSR2', () => { seen++; });
    process.kill(process.pid, 'SIGUSR2');
    return new Promise((resolve) => { setTimeout(() => { log('seen', seen); resolve(); }, 20); });
  },
  signals_to_nobody({ attempt }) {
    attempt(() => process.kill(2 ** 22 + 1, 0));
    attempt(() => process.kill(2 ** 22 + 1, 'SIGTERM'));
    attempt(() => process.kill(process.pid, 'SIGNOPE'));
  },
  native_files_are_readable_and_never_written({ log }) {
    log(fs.statSync(process.execPath).isFile(), fs.readdirSync('/usr').length > 0);
    log(fs.existsSync('/usr/bin'), fs.realpathSync('/usr/bin'));
  },
  nothing_of_the_context_shows({ log }) {
    log(Object.keys(process.env).filter((name) => name.startsWith('ONEOS')), process.execArgv);
    log(Object.keys(require.cache).map((name) => path.basename(name)), module.paths[0] === path.resolve('../../node_modules'));
    log(require('module').builtinModules.filter((name) => name.startsWith('internal')).length);
    log(typeof globalThis.internalBinding, typeof globalThis.primordials, process._preload_modules);
    log(module.parent && path.basename(module.parent.filename), Object.keys(globalThis));
    try { require('internal/test/binding'); } catch (e) { log(e.code); }
    try { require('node:internal/errors'); } catch (e) { log(e.code); }
  },
  built_in_modules_are_the_same({ log }) {
    log(require('module').builtinModules, require('module').isBuiltin('fs'), Object.keys(fs), Object.keys(process).sort());
  },
};
