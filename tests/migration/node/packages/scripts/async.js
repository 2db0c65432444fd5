// async: a queue, waterfalls, series and retries, each with timers under way.
const async = require('async');
const queue = async.queue((task, done) => { setTimeout(() => { console.log('task', task.n); done(null, task.n * 2); }, 8); }, 1);
for (let n = 1; n <= 5; n++) queue.push({ n }, (error, value) => console.log('done', value));
queue.drain(() => {
  console.log('drained');
  async.waterfall([(next) => setTimeout(next, 10, null, 1), (a, next) => setTimeout(next, 10, null, a + 1), (b, next) => { console.log('b', b); next(null, b); }], (error, result) => {
    console.log('waterfall', error, result);
    async.eachSeries([1, 2, 3], (n, next) => { console.log('each', n); setTimeout(next, 10); }, () => {
      async.auto({ one: (done) => setTimeout(done, 10, null, 1), two: ['one', (found, done) => setTimeout(done, 10, null, found.one + 1)] }, (error, found) => {
        console.log('auto', JSON.stringify(found));
        let tries = 0;
        async.retry({ times: 4, interval: 8 }, (done) => { console.log('try', ++tries); done(tries < 3 ? new Error('no') : null, tries); }, (error, value) => console.log('retried', error, value));
      });
    });
  });
});
