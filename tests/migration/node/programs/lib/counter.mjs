export let count = 0;
const step = 1;
let made = 0;
export function increment() { count += step; return count; }
function reset() { count = 0; }
export { reset };
export const constant = Object.freeze({ of: 'counter' }).of;
const odd = Symbol.for('odd').description;
export { odd as 'odd name' };
export default class { next() { return ++made; } }
