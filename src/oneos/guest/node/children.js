'use strict';
// A program's children, by the network's PIDs; and the places where Node starts programs.
//
// All of `child_process` comes down to two functions of Node's bindings, which are replaced here;
// what takes their place is loaded when the first program is started, since few start any.

const { internalBinding } = require('./internals');

// The kernel's PID of each child that runs, by its PID in the network.
const kernelPids = new Map();

function install(channel) {
  const { Process } = internalBinding('process_wrap');
  const spawnSync = internalBinding('spawn_sync');
  const real = {
    spawn: Process.prototype.spawn,
    spawnSync: spawnSync.spawn,
    execve: process.execve,
  };
  const programs = () => require('./programs');
  Process.prototype.spawn = function spawn(...args) {
    return programs().spawn(channel, this, real.spawn, args);
  };
  spawnSync.spawn = function spawn(options) {
    return programs().spawnSync(channel, real.spawnSync, options);
  };
  if (real.execve) {
    process.execve = function execve(execPath, args = [], env = process.env) {
      return programs().execve(channel, real.execve, execPath, args, env);
    };
  }
}

module.exports = { install, kernelPids };
