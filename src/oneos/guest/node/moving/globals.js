'use strict';
// The names of the global object, and of what the language has on it, before the program's first
// line: all others are the program's.

const baseKeys = new Set();
const languageKeys = new Map();  // Object of the language -> its keys.

function rememberGlobals() {
  for (const key of Reflect.ownKeys(globalThis)) baseKeys.add(key);
  for (const key of Object.getOwnPropertyNames(globalThis)) {
    const { value } = Reflect.getOwnPropertyDescriptor(globalThis, key);
    // Those of the language can be changed and are not listed; Node's come by accessors, mostly.
    if (typeof value !== 'function' && !['JSON', 'Math', 'Reflect'].includes(key)) continue;
    for (const object of [value, value.prototype]) {
      if (object) languageKeys.set(object, new Set(Reflect.ownKeys(object)));
    }
  }
}

// Whether the program has given a property to an object of the language.
const isAdded = (object, key) => languageKeys.get(object)?.has(key) === false;

module.exports = { baseKeys, isAdded, rememberGlobals };
