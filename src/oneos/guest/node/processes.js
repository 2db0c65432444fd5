'use strict';
// Who and where the program is: PID, working directory, user, host name, signals.
//
// The network's, not the host's. A signal to itself or to a child is sent here, at once and
// synchronously as the kernel does it; one to any other process goes through the Runtime.

const { posix } = require('path');
const { kernelPids } = require('./children');
const { Fail, ERRNO, toError } = require('./errors');
const { internalBinding } = require('./internals');
const names = require('./names');
const paths = require('./paths');
const { original, runSync } = require('./steps');

const S_IFDIR = 0o040000;

// The canonical path of a directory to work in. Throws Fail.
function directory(target) {
  if (target === '') throw new Fail(ERRNO.ENOENT);
  const { path, native } = paths.locate(target);
  if (native) {
    const canonical = posix.normalize(path);
    if (names.isDirectory([modeOfNative(canonical)])) return canonical.replace(/(.)\/$/, '$1');
    throw new Fail(ERRNO.ENOTDIR);
  }
  const attr = runSync(names.attr(path));
  if (!names.isDirectory(attr)) throw new Fail(ERRNO.ENOTDIR);
  return runSync(names.realpath(path));
}

// The same for `process.chdir`, which throws errors.
function change(target, above) {
  const before = paths.cwd();
  try {
    return directory(target);
  } catch (fail) {
    if (!(fail instanceof Fail)) throw fail;
    throw toError(fail, 'chdir', before, target, above);
  }
}

function modeOfNative(path) {
  const kind = original.internalModuleStat(path);
  if (kind < 0) throw new Fail(ERRNO.ENOENT);
  return kind === 1 ? S_IFDIR : 0;
}

function installDirectory(start, moved, isMainThread) {
  const methods = internalBinding('process_methods');
  paths.setCwd(start);
  methods.cwd = () => paths.cwd();
  if (!isMainThread) return;  // Workers follow the main thread and cannot move.
  methods.chdir = () => {};
  process.chdir(start);  // Node keeps the last answer of cwd() until the next chdir().
  methods.chdir = function chdir(target) {
    paths.setCwd(change(target, chdir));
    moved(paths.cwd());
  };
}

function installSignals(pid, call) {
  const real = process._kill;
  const own = process.pid;
  process._kill = function(target, signal) {
    if (target === 0) return real(0, signal);
    if (Math.abs(target) === pid) return real(Math.sign(target) * own, signal);
    const child = kernelPids.get(Math.abs(target));
    if (child !== undefined) return real(Math.sign(target) * child, signal);
    try {
      call(['kill', target, signal]);
      return 0;
    } catch (fail) {
      if (!(fail instanceof Fail)) throw fail;
      return -fail.errno;
    }
  };
}

function constant(name, value) {
  // Some are accessors of C++ that older Nodes show as values, and that stay while they are there.
  delete process[name];
  Object.defineProperty(process, name, {
    value, enumerable: true, configurable: true, writable: true,
  });
}

function installUser(uid, gid, whoami) {
  process.getuid = process.geteuid = function getuid() { return uid; };
  process.getgid = process.getegid = function getgid() { return gid; };
  process.getgroups = function getgroups() { return [gid]; };
  for (const name of ['setuid', 'seteuid', 'setgid', 'setegid', 'setgroups', 'initgroups']) {
    process[name] = function() {
      throw toError(new Fail(ERRNO.EPERM), name, undefined, undefined, process[name]);
    };
  }
  const os = internalBinding('os');
  const home = (user) => process.env.HOME ?? `/home/${user}`;
  os.getHomeDirectory = () => home(whoami().user);
  os.getUserInfo = (options) => {
    const { user } = whoami();
    const text = options?.encoding === 'buffer' ? Buffer.from : (value) => value;
    return { uid, gid, username: text(user), homedir: text(home(user)), shell: null };
  };
}

// Pipes as standard output take everything before a write returns, as Node documents it and does
// not do: `process.exit` would lose what the next program of the pipeline has not yet read.
function installOutput() {
  const { Pipe } = internalBinding('pipe_wrap');
  const { open } = Pipe.prototype;
  Pipe.prototype.open = function(fd) {
    const error = open.call(this, fd);
    if (!error && (fd === 1 || fd === 2)) this.setBlocking(true);
    return error;
  };
}

// `settings`: as the environment gave them. `channel`: blocking calls. `moved`: told of the new
// working directory.
function install(settings, channel, moved, isMainThread) {
  installOutput();
  installSignals(settings.pid, (request) => channel.call(request));
  constant('pid', settings.pid);
  constant('ppid', settings.ppid);
  installDirectory(settings.cwd, moved, isMainThread);
  installUser(settings.uid, settings.gid, () => channel.whoami());
  internalBinding('os').getHostname = () => settings.hostname;
}

module.exports = { directory, install };
