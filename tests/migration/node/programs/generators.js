// Generators in every state, driven by an interval.
function* numbers(limit) {
  let sum = 0;
  for (const n of [1, 2, 3, 4, 5, 6, 7, 8]) {
    if (n > limit) return 'over';
    const got = yield n * 10 + sum;
    if (got) sum += got;
  }
}
function* closing() { try { yield 1; yield 2; yield 3; } finally { console.log('closed'); } }
function* fibonacci() { let [a, b] = [0, 1]; for (;;) { yield a; [a, b] = [b, a + b]; } }
class Tree {
  constructor(value, left, right) { Object.assign(this, { value, left, right }); }
  * [Symbol.iterator]() { for (const n of [this.value, -this.value]) yield n; }
}
const running = numbers(7);
running.next();
const fresh = numbers(2);
const done = numbers(0);
done.next();
const closer = closing();
closer.next();
const fib = fibonacci();
const tree = new Tree(5)[Symbol.iterator]();
let turn = 0;
const timer = setInterval(() => {
  turn++;
  console.log(turn, JSON.stringify(running.next(turn)), JSON.stringify(done.next()), fib.next().value,
    JSON.stringify(tree.next()), Object.getPrototypeOf(running) === numbers.prototype);
  if (turn === 7) console.log(closer.return('early'), [...fresh]);
  if (turn === 8) clearInterval(timer);
}, 50);
