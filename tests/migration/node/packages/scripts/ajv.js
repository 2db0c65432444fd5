// ajv: validators that were compiled by new Function.
const Ajv = require('ajv');
const ajv = new Ajv({ allErrors: true });
const validate = ajv.compile({ type: 'object', properties: { n: { type: 'integer', minimum: 3 }, s: { type: 'string', pattern: '^x+$' } }, required: ['n'], additionalProperties: false });
let turn = 0;
setTimeout(function next() {
  turn++;
  console.log(turn, validate({ n: turn, s: 'x'.repeat(turn) }), JSON.stringify(validate.errors), validate({ m: 1 }), ajv.errorsText(validate.errors));
  if (turn < 9) setTimeout(next, 15);
}, 15);
