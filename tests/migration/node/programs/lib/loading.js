exports.load = async (name) => (await import('./counter.mjs'))[name];
