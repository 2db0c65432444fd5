'use strict';
// Unix sockets whose names are in the tree: `listen` and `connect` of `net` by a path.
//
// The tree has the name; what lies behind it is a socket of this host, at a path that the Runtime
// gives. An address has room for 108 bytes only: a longer path is reached through a descriptor of
// its directory. libuv removes at its end the name to which it has bound a socket, as a file of the
// host; the tree's is removed here, where the kernel did not make it.

const { setImmediate } = require('timers');
const { ERRNO, Fail } = require('./errors');
const { internalBinding } = require('./internals');
const { locate, wire } = require('./paths');
const { original } = require('./steps');

const { Pipe } = internalBinding('pipe_wrap');
const rawProcess = internalBinding('process_methods');

const ADDRESS_BYTES_MAX = 107;
const MODE = 0o777;
const O_PATH = 0o10000000;
const { O_DIRECTORY } = internalBinding('constants').fs;

// A name that the kernel takes for a path of the host at `path`, and what is open for that, or -1.
function reached(path) {
  if (Buffer.byteLength(path) <= ADDRESS_BYTES_MAX) return [path, -1];
  const at = path.lastIndexOf('/');
  const fd = original.open(path.slice(0, at), O_PATH | O_DIRECTORY, 0);
  return [`/proc/self/fd/${fd}${path.slice(at)}`, fd];
}

const shut = (fd) => { if (fd >= 0) original.close(fd); };

// Where an address is: as paths.js has it; undefined for one that has no name.
function placeOf(address) {
  if (typeof address !== 'string' || address === '' || address[0] === '\0') return undefined;
  return locate(address);
}

function failed(error) {
  if (error instanceof Fail) return -error.errno;
  throw error;
}

function bind(channel, pipe, real, where, rest) {
  let path, made;
  try {
    [path, made] = channel.call(['bind', where, MODE & ~rawProcess.umask(undefined)]);
  } catch (error) {
    const code = failed(error);
    if (code === -ERRNO.EEXIST) return -ERRNO.EADDRINUSE;
    // As libuv has it, for the sake of Windows.
    return code === -ERRNO.ENOENT ? -ERRNO.EACCES : code;
  }
  const [address, fd] = reached(path);
  const error = real.call(pipe, address, ...rest);
  const unlink = () => {
    try {
      channel.call(['unlink', where]);
    } catch (fail) {
      failed(fail);
    }
  };
  if (error) {
    shut(fd);
    if (made) unlink();
    return error;
  }
  const { close } = pipe;
  pipe.close = function(...args) {
    pipe.close = close;
    if (made) unlink();
    close.apply(this, args);
    // libuv has removed its name by now.
    shut(fd);
  };
  return error;
}

function connect(channel, pipe, real, request, where, rest) {
  let path;
  try {
    path = channel.call(['meeting', where]);
  } catch (error) {
    const code = failed(error);
    // In a turn of its own, as libuv tells it: an error at once has other words.
    setImmediate(() => request.oncomplete(code, pipe, request, false, false));
    return 0;
  }
  const { oncomplete } = request;
  request.oncomplete = function(status, ...results) {
    // The name is there: nobody of this host has bound it, so nobody listens.
    if (status === -ERRNO.ENOENT) status = -ERRNO.ECONNREFUSED;
    return oncomplete.call(this, status, ...results);
  };
  const [address, fd] = reached(path);
  try {
    return real.call(pipe, request, address, ...rest);
  } finally {
    shut(fd);
  }
}

function install(channel) {
  for (const name of ['bind', 'bind2']) {
    const real = Pipe.prototype[name];
    if (!real) continue;
    Pipe.prototype[name] = function(address, ...rest) {
      const place = placeOf(address);
      if (place === undefined) return real.call(this, address, ...rest);
      if (place.native) return -ERRNO.EROFS;
      return bind(channel, this, real, wire(place.path), rest);
    };
  }
  for (const name of ['connect', 'connect2']) {
    const real = Pipe.prototype[name];
    if (!real) continue;
    Pipe.prototype[name] = function(request, address, ...rest) {
      const place = placeOf(address);
      if (place === undefined) return real.call(this, request, address, ...rest);
      if (place.native) return real.call(this, request, place.path, ...rest);
      return connect(channel, this, real, request, wire(place.path), rest);
    };
  }
}

module.exports = { install };
