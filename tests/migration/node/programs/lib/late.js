exports.when = Date.now();
