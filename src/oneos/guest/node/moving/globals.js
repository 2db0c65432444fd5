'use strict';
// The names of the global object before the program's first line: all others are the program's.

const baseKeys = new Set();

function rememberGlobals() {
  for (const key of Reflect.ownKeys(globalThis)) baseKeys.add(key);
}

module.exports = { baseKeys, rememberGlobals };
