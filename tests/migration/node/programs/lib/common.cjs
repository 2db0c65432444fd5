exports.total = 0;
exports.add = (n) => (exports.total += n);
