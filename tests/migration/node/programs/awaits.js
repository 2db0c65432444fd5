// Suspended async functions, one after the other: loops, branches, try, private fields, nesting.
const sleep = (ms, value) => new Promise((resolve) => setTimeout(resolve, ms, value));
const results = [];
async function loops(name) {
  const seen = [];
  for (let i = 0; i < 3; i++) {
    for (const item of ['a', 'b']) {
      const got = await sleep(12, item + i);
      seen.push(got);
      console.log(name, got, seen.length);
    }
  }
  let n = 0;
  while (n < 3) { n++; await sleep(15); if (n === 2) continue; seen.push(n); }
  return seen.join();
}
class Worker {
  #jobs = 0;
  constructor(name) { this.name = name; }
  async run(count) {
    for (let i = 0; i < count; i++) {
      this.#jobs++;
      try {
        if (i === 2) throw new Error('two');
        const value = await sleep(20, i);
        console.log(this.name, value, this.#jobs);
      } catch (error) {
        await sleep(20);
        console.log(this.name, 'caught', error.message);
      } finally {
        console.log(this.name, 'finally', i);
      }
    }
    return this.#jobs;
  }
}
async function nested(depth) {
  if (depth === 0) { await sleep(60); return 1; }
  const below = await nested(depth - 1);
  console.log('depth', depth, below);
  return below + 1;
}
async function branches(flag) {
  switch (flag) {
    case 'x': await sleep(30); console.log('x'); // falls through
    case 'y': await sleep(30); console.log('y'); break;
    default: console.log('never');
  }
  outer: for (const a of [1, 2, 3]) {
    for (const b of new Set([1, 2, 3])) {
      await sleep(7);
      if (b === 2) continue outer;
      results.push(`${a}${b}`);
    }
  }
  const { x, y = 5 } = await sleep(20, { x: 4 });
  return flag === 'x' ? x + y : 0;
}
const gate = sleep(100, 'open');
const waiters = [1, 2, 3].map(async (n) => { const word = await gate; console.log('waiter', n, word); return n; });
gate.then((word) => console.log('then', word)).then(() => console.log('then then'));
const failed = sleep(1).then(() => { throw new Error('late'); });
failed.catch(() => {});
(async () => {
  await gate;
  console.log(await loops('L'));
  console.log(await new Worker('W').run(4));
  console.log(await nested(3));
  for (const waiter of waiters) console.log('waited', await waiter);
  console.log(await branches('x'), results.join());
  await failed;
})().then(() => console.log('end'), (error) => console.log('failed', error.message));
