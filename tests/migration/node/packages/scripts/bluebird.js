const Promise = require('bluebird');
const sleep = (ms, value) => Promise.delay(ms, value);
const steps = Promise.coroutine(function* () { for (let i = 0; i < 4; i++) { const got = yield sleep(20, i); console.log('step', got); } return 'steps'; });
Promise.map([1, 2, 3, 4], (n) => sleep(12, n).then((m) => { console.log('mapped', m); return m * 2; }), { concurrency: 1 })
  .then((list) => { console.log(list.join()); return steps(); })
  .tap((value) => console.log(value))
  .then(() => sleep(500).timeout(30, 'too long'))
  .catch(Promise.TimeoutError, (error) => { console.log(error.name, error.message); return Promise.props({ a: sleep(20, 1), b: 2 }); })
  .then((all) => { console.log(JSON.stringify(all)); return Promise.reduce([1, 2, 3], (sum, n) => sleep(10, sum + n), 0); })
  .finally(() => console.log('finally'))
  .then((sum) => console.log('sum', sum));
