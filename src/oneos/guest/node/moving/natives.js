'use strict';
// What V8's own functions tell of a function or a generator, without the inspector.
//
// They are reached by a syntax that is on for the moment of one compilation. None of them changes
// anything.

const v8 = require('v8');

function compile(name) {
  v8.setFlagsFromString('--allow-natives-syntax');
  try {
    return new Function('of', `return %${name}(of)`);
  } finally {
    v8.setFlagsFromString('--no-allow-natives-syntax');
  }
}

const functions = new Map();

function native(name, of) {
  let found = functions.get(name);
  if (!found) functions.set(name, found = compile(name));
  return found(of);
}

// The number of the script that a function comes from; -1 for one of C++.
const scriptIdOf = (fn) => native('FunctionGetScriptId', fn);

// Where in its script a function begins, in UTF-16 units, as V8 counts: at its parameters.
const positionOf = (fn) => native('FunctionGetScriptSourcePosition', fn);

// The function that made a generator or suspended async function.
const makerOf = (generator) => native('GeneratorGetFunction', generator);

// Whether an array's elements are values and nothing else: no accessors, none that is read-only.
const hasPlainElements = (array) => native('HasFastElements', array);

module.exports = { hasPlainElements, makerOf, positionOf, scriptIdOf };
