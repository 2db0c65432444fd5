'use strict';
// All that a Node program of the name space has of OneOS: it can be asked to move.
//
// Loaded by `node --expose-internals --require plain.js ...`, with the two descriptors below. Where
// there is something in the memory for its image already, the program begins as that. preload.js is
// its like for instrumented programs.

const CONTROL = 3;
const IMAGES = 4;

const { fstatSync, readFileSync } = require('fs');
const { Script } = require('vm');
const builtin = require;
const loaded = new Map();

// Our files are not loaded by Node's `require`, which would leave each in `require.cache`.
function load(id) {
  if (!id.startsWith('./')) return builtin(id);
  let module = loaded.get(id);
  if (!module) {
    module = { exports: {} };
    loaded.set(id, module);
    const filename = `${__dirname}/${id.slice(2)}.js`;
    const source = `(function(module, require, __dirname) { ${readFileSync(filename, 'utf8')}\n})`;
    new Script(source, { filename }).runInThisContext()(module, load, __dirname);
  }
  return module.exports;
}

const { conceal, internalBinding } = load('./internals');

if (internalBinding('worker').isMainThread) {
  const begins = fstatSync(IMAGES).size > 0;
  load('./moving/start').install({ control: CONTROL, images: IMAGES, begins });
}
conceal(module);
