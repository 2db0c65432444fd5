const a = require('./a.js');
const notes = [];
module.exports = { note: (n) => notes.push(n), total: () => [a.state.total, notes.length], state: () => a.state };
