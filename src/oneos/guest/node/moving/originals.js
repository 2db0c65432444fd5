'use strict';
// What was written in the place of what a move made: the text of a class, which has a few words
// more here, the function of which a suspended one is the rest, the iterator of a loop in it, and
// the source of an ES module with what it imports, by its URL.
module.exports = {
  originals: new WeakMap(), frameOrigins: new WeakMap(), loopIterators: new WeakMap(),
  moduleOrigins: new Map(),
};
