// immer, semver, uuid, ajv with a keyword of its own.
const Ajv = require('ajv');
const semver = require('semver');
const { produce, enableMapSet } = require('immer');
const { v5, validate: isUuid } = require('uuid');
enableMapSet();
const ajv = new Ajv({ allErrors: true });
ajv.addKeyword({ keyword: 'even', validate: (schema, data) => data % 2 === 0 });
const range = new semver.Range('^1.2.3 || >=3.0.0-beta <4');
const base = { list: [1], map: new Map([['a', 1]]), deep: { er: { x: 1 } } };
let state = base;
let turn = 0;
setTimeout(function next() {
  turn++;
  state = produce(state, (it) => { it.list.push(turn); it.map.set(`k${turn}`, turn); it.deep.er.x += turn; });
  console.log(turn, state.list.join(), state.map.size, state.deep.er.x, base.list.length, Object.isFrozen(state));
  console.log(semver.inc(`1.${turn}.0`, 'minor'), range.test(`1.${turn}.9`), range.test('3.0.0-beta.2'), new semver.SemVer(`2.0.${turn}-rc.1`).compare('2.0.3'), v5(String(turn), v5.URL), isUuid('no'));
  if (turn < 9) setTimeout(next, 15);
}, 15);
