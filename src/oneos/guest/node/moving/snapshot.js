'use strict';
class HeapSnapshot { constructor(){ throw new Error('snapshot'); } }
module.exports = { HeapSnapshot };
