'use strict';
// Has Node run something in the place of its main module.

const Module = require('module');

function runInstead(action) {
  const { runMain } = Module;
  const set = (value) => Object.defineProperty(Module, 'runMain', {
    value, configurable: true, enumerable: true, writable: true,
  });
  set(() => { set(runMain); action(); });
}

module.exports = { runInstead };
