const { create, all } = require('mathjs');
const math = create(all, { number: 'BigNumber', precision: 32 });
const parser = math.parser();
parser.evaluate('f(x) = x^2 + 1');
const compiled = math.compile('a * sqrt(2) + sum([1, 2, a])');
const derivative = math.derivative('x^3 + 2x', 'x');
let matrix = math.matrix([[1, 2], [3, 4]]);
let turn = 0;
setTimeout(function next() {
  turn++;
  matrix = math.multiply(matrix, 2);
  parser.evaluate(`y = f(${turn})`);
  console.log(turn, String(parser.get('y')), String(compiled.evaluate({ a: math.bignumber(turn) })), derivative.toString(), String(matrix));
  console.log(math.evaluate('2 inch to cm').toString(), String(math.complex(turn, 1)), math.simplify('2x + 3x').toString(), String(math.fraction(turn, 6)));
  if (turn < 6) setTimeout(next, 15);
}, 15);
