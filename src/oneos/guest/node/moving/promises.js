'use strict';
class Promises {
  constructor(capture) { this.capture = capture; }
  record(object, id) { if (require('util').types.isPromise(object)) return this.capture.graph.refuse('a promise', id); if (require('util').types.isGeneratorObject(object)) return this.capture.graph.refuse('a generator', id); }
  known() { return this.capture.graph.values.filter(require('util').types.isPromise); }
  settle() { return false; }
}
module.exports = { Promises };
