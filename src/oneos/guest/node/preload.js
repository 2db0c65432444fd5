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
  'internals', 'errors', 'limits', 'msgpack', 'channel', 'paths', 'steps', 'looks', 'names',
  'files', 'bind', 'descriptors', 'filesystem', 'modules', 'refuse', 'sockets', 'children',
  'processes', 'workers', 'offer',
];
const { readFileSync } = require('fs');
const { Script } = require('vm');
const builtin = require;
const loaded = new Map();

function compile(names, code) {
  // V8 compiles a function in parentheses at once, instead of once to skip it and once to run it.
  const bodies = names.map((name) => `'./${name}': (function(module, require) { ${
    readFileSync(`${__dirname}/${name}.js`, 'utf8')}\n})`);
  const source = `(function(__dirname) { return { ${bodies.join(',')} }; })`;
  const filename = `${__dirname}/${names.length === 1 ? names[0] : '*'}.js`;
  const script = new Script(source, { filename, cachedData: code?.of(source) });
  code?.made(script);
  return script.runInThisContext()(__dirname);
}

const HEAD_BYTES = 4;

// What V8 made of the code that every program needs, kept by the first program for those after it,
// which saves them 3 ms: in a file with the code's length, the source, and the code. V8 compares
// only the lengths of sources; here a file that is not whole, or of another source, is not used.
class KeptCode {
  constructor(directory) {
    const { v8 } = process.versions;
    this.path = `${directory}/node-${process.version}-${v8}-${process.arch}`;
  }

  of(source) {
    this.source = Buffer.from(source);
    let bytes;
    try {
      bytes = readFileSync(this.path);
    } catch {
      return undefined;
    }
    this.exists = true;
    const [start, end] = [HEAD_BYTES, HEAD_BYTES + this.source.length];
    if (bytes.length < end || !bytes.subarray(start, end).equals(this.source)) return undefined;
    const code = bytes.subarray(end);
    return code.length === bytes.readUInt32LE() ? code : undefined;
  }

  made(script) { this.script = script; }

  // Once the context is in place: what ran for that is compiled by then, and goes into the file.
  keep({ original, runSync, native }) {
    if (this.exists) return;
    const code = this.script.createCachedData();
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32LE(code.length);
    const { O_WRONLY, O_CREAT, O_EXCL } = builtin('fs').constants;
    let fd;
    try {
      fd = original.open(this.path, O_WRONLY | O_CREAT | O_EXCL, 0o600);
    } catch {
      return;  // Another program was first.
    }
    const bytes = Buffer.concat([head, this.source, code]);
    try {
      runSync((function* () { yield native('writeBuffer', fd, bytes, 0, bytes.length, null); })());
    } catch {
      // A full disk: what is there is not whole, and so not used.
    } finally {
      original.close(fd);
    }
  }
}

const { ONEOS_CODE } = process.env;
const code = ONEOS_CODE ? new KeptCode(ONEOS_CODE) : undefined;
const bodies = compile(ALWAYS, code);

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
    moving: env.ONEOS_MOVING,
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

  load('./looks').assume(given.socket);
  load('./filesystem').install(() => given);
  load('./modules').install(given.stage);
  load('./offer').install();
  load('./refuse').install();
  load('./sockets').install(channel);
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

function main() {
  const { isMainThread } = internals.internalBinding('worker');
  let given = settings();
  if (given.socket || !isMainThread) {
    const workers = load('./workers');
    if (!isMainThread) given = workers.inherited();
    if (given) enter(given, isMainThread, workers);
    if (given) code?.keep(load('./steps'));
  }
  if (given?.moving && isMainThread) {
    const { install, parse } = load('./moving/start');
    install(parse(given.moving));
  }
  internals.conceal(module);
}

main();
