'use strict';
function prepare() {}
function start() {}
module.exports = { prepare, start };
