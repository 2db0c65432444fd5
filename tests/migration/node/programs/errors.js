// Errors with causes, custom fields, aggregate ones, and their stacks from before.
class HttpError extends Error { #code; constructor(m, code, o) { super(m, o); this.#code = code; } get code() { return this.#code; } get name() { return 'HttpError'; } }
const root = new TypeError('root'); root.extra = { a: [1] };
const http = new HttpError('not found', 404, { cause: root });
const many = new AggregateError([root, http], 'many');
const first = root.stack;
function thrower(n) { try { if (n % 2) throw http; throw many; } catch (e) { return e; } finally { thrower.count = (thrower.count ?? 0) + 1; } }
function step(n) { const e = thrower(n); console.log(e.name, e.message, e.code, e.cause === root, e.errors?.length, root.stack === first, root.extra.a.push(n), http instanceof HttpError, http instanceof Error, Object.prototype.toString.call(root), thrower.count, first.split('\n').length > 2); }
let turn = 0;
const timer = setInterval(() => { turn++; step(turn); if (turn === 8) clearInterval(timer); }, 25);
