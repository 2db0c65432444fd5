'use strict';
// The evaluation context of a Node program, put in place before its first line runs.
//
// Loaded by `node --expose-internals --require preload.js ...` (launch_node.py) with the ONEOS_*
// environment of docs/guest-protocol.md, which it takes out of what the program sees. Without that
// environment it does nothing but conceal the internals again. Each file beside this one is one
// part: codec, channel, paths, operations, bindings, modules, process, workers, refusals.

// Our own files are not loaded by Node's `require`: that would look for a package.json in the tree,
// and leave each in `require.cache`. What every program needs is compiled in one go, which costs
// half of compiling each by itself; the rest when it is first needed, after the program has had
// every chance to change `fs`.
const ALWAYS = [
  'internals', 'errors', 'limits', 'msgpack', 'channel', 'paths', 'steps', 'names', 'files',
  'bind', 'descriptors', 'filesystem', 'modules', 'refuse', 'children', 'processes', 'workers',
  'offer',
];
const { readFileSync } = require('fs');
const { compileFunction } = require('vm');
const builtin = require;
const loaded = new Map();

function compile(names) {
  // V8 compiles a function in parentheses at once, instead of once to skip it and once to run it.
  const bodies = names.map((name) => `'./${name}': (function(module, require) { ${
    readFileSync(`${__dirname}/${name}.js`, 'utf8')}\n})`);
  const filename = `${__dirname}/${names.length === 1 ? names[0] : '*'}.js`;
  return compileFunction(`return { ${bodies.join(',')} };`, ['__dirname'], { filename })(__dirname);
}

const bodies = compile(ALWAYS);

function load(id) {
  if (!id.startsWith('./')) return builtin(id);
  let module = loaded.get(id);
  if (module) return module.exports;
  module = { exports: {} };
  loaded.set(id, module);
  const { [id]: body } = bodies[id] ? bodies : compile([id.slice(2)]);
  body(module, load);
  return module.exports;
}

const internals = load('./internals');

function settings() {
  const { env } = process;
  const given = {
    socket: env.ONEOS_SOCK,
    pid: Number(env.ONEOS_PID),
    ppid: Number(env.ONEOS_PPID) || 1,
    token: env.ONEOS_TOKEN,
    cwd: env.ONEOS_CWD || '/',
    hostname: env.ONEOS_HOSTNAME,
    stage: env.ONEOS_STAGE,
    uid: Number(env.ONEOS_UID),
    gid: Number(env.ONEOS_GID),
    packages: env.ONEOS_ENVIRONMENT,
  };
  const nodeOptions = env.ONEOS_NODE_OPTIONS;
  for (const name of Object.keys(env)) if (name.startsWith('ONEOS_')) delete env[name];
  if (nodeOptions) env.NODE_OPTIONS = nodeOptions;
  return given;
}

function enter(given, isMainThread, workers) {
  const { AsyncPool, SyncChannel } = load('./channel');
  const greeting = { pid: given.pid, token: given.token, fds: false };
  const channel = new SyncChannel(given.socket, greeting);
  // The Runtime answers the first questions while the rest is loaded here.
  channel.open();
  const paths = load('./paths');
  if (given.stage) paths.addNative(given.stage);
  const script = isMainThread ? correctScript(given.cwd) : undefined;
  if (script && given.packages) given.beside = builtin('path').dirname(script);
  if (given.beside) paths.lay(given.packages, `${given.beside}/node_modules`);
  if (script && !paths.locate(script).native) channel.foresee(paths.questionsAbout(script));
  load('./steps').use(channel, new AsyncPool(given.socket, greeting));

  load('./filesystem').install(() => given);
  load('./modules').install(given.stage);
  load('./offer').install();
  load('./refuse').install();
  load('./children').install(channel);
  load('./processes').install(given, channel, workers.publish, isMainThread);
  if (isMainThread) {
    load('./errors').installReport();
  } else {
    process.cwd = () => { paths.setCwd(workers.readShared()); return paths.cwd(); };
  }
  workers.install(given);
  if (script) runInstead(script);
  // `-r` of the program's own packages starts from its working directory.
  const Module = builtin('module');
  if (module.parent) module.parent.paths = Module._nodeModulePaths(given.cwd);
}

// As launch_node.py spells a relative script, so that Node leaves it whole.
const RELATIVE = '/.oneos-relative/';

// The script's path in the tree; undefined where the program comes from elsewhere.
function correctScript(cwd) {
  const given = process.argv[1];
  if (process._eval !== undefined || !given?.startsWith('/')) return undefined;
  if (given.startsWith(RELATIVE)) {
    const relative = decodeURIComponent(given.slice(RELATIVE.length));
    process.argv[1] = builtin('path').resolve(cwd, relative);
  }
  return process.argv[1];
}

// Node has taken the script's path before us, and passes it to `Module.runMain` after us. The
// function that it gets there has the right path bound, which leaves no frame in stack traces.
function runInstead(path) {
  const Module = builtin('module');
  const { runMain } = Module;
  const restore = (value) => Object.defineProperty(Module, 'runMain', {
    value, configurable: true, enumerable: true, writable: true,
  });
  Object.defineProperty(Module, 'runMain', {
    configurable: true,
    enumerable: true,
    get() { restore(runMain); return runMain.bind(Module, path); },
    set: restore,
  });
}

// Leave no trace of this preload in what the program can look at.
function conceal() {
  internals.conceal();
  const Module = require('module');
  delete require.cache[__filename];
  for (const key of Object.keys(Module._pathCache)) {
    if (Module._pathCache[key] === __filename) delete Module._pathCache[key];
  }
  if (module.parent) module.parent.children.length = 0;
  const options = process.execArgv.indexOf(__filename);
  if (options >= 2) process.execArgv.splice(options - 2, 3);
  Object.defineProperty(process, '_preload_modules', {
    configurable: true,
    enumerable: true,
    value: process._preload_modules.filter((name) => name !== __filename),
  });
}

function main() {
  const { isMainThread } = internals.internalBinding('worker');
  let given = settings();
  if (given.socket || !isMainThread) {
    const workers = load('./workers');
    if (!isMainThread) given = workers.inherited();
    if (given) enter(given, isMainThread, workers);
  }
  conceal();
}

main();
