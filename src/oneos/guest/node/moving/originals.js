'use strict';
// What was written in the place of what a move made: the text of a class, which has a few words
// more here, and the function of which a suspended one is the rest.
module.exports = { originals: new WeakMap(), frameOrigins: new WeakMap() };
