'use strict';
// The text with which a class was written, where it was evaluated with a few words more here.
module.exports = { originals: new WeakMap() };
