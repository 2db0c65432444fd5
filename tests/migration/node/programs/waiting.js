// Promise.all, race, any, allSettled and finally while they wait; settle functions kept by hand.
// What is due comes in its order, one at each turn.
const due = [];
const sleep = (at, value) => new Promise((resolve) => due.push([at, () => resolve(value)]));
const fail = (at, why) => new Promise((_, reject) => due.push([at, () => reject(new Error(why))]));
let release;
const held = new Promise((resolve) => { release = resolve; });
due.push([320, () => release('released')]);
held.then((word) => console.log('held', word));
const log = (name) => [(value) => console.log(name, JSON.stringify(value)), (error) => console.log(name, 'failed', error.message, error.errors?.length)];
Promise.all([sleep(40, 1), 2, sleep(280, 3), Promise.resolve(4)]).then(...log('all'));
Promise.all([sleep(300, 1), fail(230, 'no')]).then(...log('all failing'));
Promise.allSettled([sleep(60, 'a'), fail(240, 'b'), 'c']).then((list) => console.log('settled', list.map((l) => l.status + (l.value ?? l.reason.message)).join()));
Promise.race([sleep(260, 'slow'), sleep(250, 'quick'), held]).then(...log('race'));
Promise.any([fail(210, 'x'), sleep(270, 'any'), fail(20, 'y')]).then(...log('any'));
Promise.any([fail(215, 'x'), fail(25, 'y')]).then(...log('any failing'));
sleep(290, 'kept').finally(() => { console.log('finally'); return 'dropped'; }).then(...log('after finally'));
fail(295, 'through').finally(() => console.log('finally too')).then(...log('after failing finally'));
const adopted = new Promise((resolve) => resolve(sleep(310, 'adopted')));
adopted.then(...log('adopts'));
const later = (async () => { await held; throw new Error('async failure'); })();
later.catch((error) => console.log(error.message));
const thenable = { then(ok) { due.push([330, () => ok('thenable')]); } };
Promise.resolve(thenable).then(...log('then'));
setTimeout(() => {
  due.sort(([a], [b]) => a - b);
  const timer = setInterval(() => {
    const [at, action] = due.shift();
    console.log('turn', at);
    action();
    if (due.length === 0) clearInterval(timer);
  }, 10);
}, 5);
