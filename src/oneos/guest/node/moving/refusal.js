'use strict';
// What cannot be moved, and by which path the program reaches it.

class NotMovable extends Error {
  // `reason`: one phrase; `path`: how it is reached, from a root of the program.
  constructor(reason, path) {
    super(path ? `${reason}, reached as ${path}` : reason);
    this.name = 'NotMovable';
    this.reason = reason;
    this.path = path;
  }
}

module.exports = { NotMovable };
