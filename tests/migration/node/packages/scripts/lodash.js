// lodash: caches, chains, currying, templates, a debounced call that is due.
const _ = require('lodash');
const memo = _.memoize((n) => n * n);
const grouped = _.chain([1, 2, 3, 4, 5, 6]).groupBy((n) => n % 3);
const debounced = _.debounce(() => console.log('debounced'), 30);
const curried = _.curry((a, b, c) => a + b + c);
const partly = curried(1);
const template = _.template('<%= name %>: <%- list.join() %>');
const once = _.once(() => console.log('only once'));
const words = new Map([['a', { deep: [1, { x: 2 }] }]]);
let turn = 0;
setTimeout(function next() {
  turn++;
  console.log(turn, memo(turn), memo.cache.size, JSON.stringify(grouped.value()), partly(turn)(2), template({ name: 'n', list: [turn, '<'] }));
  once();
  console.log(_.isEqual(_.cloneDeep(words), words), _.padStart(turn, 3, '0'), _.uniqueId('id_'), _.kebabCase(`Turn Number ${turn}`), _.sum(_.range(turn)));
  if (turn === 4) debounced();
  if (turn < 10) setTimeout(next, 15);
}, 15);
