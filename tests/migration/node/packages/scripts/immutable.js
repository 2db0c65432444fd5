// immutable: persistent collections, records, lazy sequences over infinite ones.
const { List, Map, Record, OrderedMap, Range, Seq, Set, fromJS } = require('immutable');
const Point = Record({ x: 0, y: 0 });
let state = fromJS({ list: [1, 2, { deep: true }], map: { a: 1 } });
let points = List([Point()]);
const lazy = Range(0, Infinity).filter((n) => n % 3 === 0);
let ordered = OrderedMap();
let seen = Set();
const first = state;
let turn = 0;
setTimeout(function next() {
  turn++;
  state = state.setIn(['map', `k${turn}`], turn).updateIn(['list'], (list) => list.push(turn));
  points = points.push(Point({ x: turn }).set('y', turn * 2));
  ordered = ordered.set(turn % 4, turn);
  seen = seen.add(turn % 5);
  console.log(turn, JSON.stringify(state), points.last().toString(), state.hashCode(), first.get('list').size);
  console.log(lazy.skip(turn).first(), ordered.toString(), seen.size, Map({ a: 1 }).equals(first.get('map')), Seq([1, 2, 3]).map((n) => n * turn).toArray().join(), List.isList(points));
  if (turn < 10) setTimeout(next, 15);
}, 15);
