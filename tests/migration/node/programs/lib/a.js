exports.state = { total: 0 };
const b = require('./b.js');
let calls = 0;
exports.add = (n) => { calls++; exports.state.total += n; b.note(calls); };
