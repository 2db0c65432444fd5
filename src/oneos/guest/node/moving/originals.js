'use strict';
// What was written in the place of what a move made: the text of a class, which has a few words
// more here, the function of which a suspended one is the rest, and the iterator of a loop in it.
module.exports = {
  originals: new WeakMap(), frameOrigins: new WeakMap(), loopIterators: new WeakMap(),
};
