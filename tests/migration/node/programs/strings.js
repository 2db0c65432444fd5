// Tagged templates, regular expressions in mid-match, symbols, BigInts, dates and numbers.
const tag = (parts, ...values) => parts.raw.join() + values.join('+');
const render = (x) => tag`a${x}b${x * 2}`; const sticky = /\w+?\s/y, named = /(?<y>\d{4})-(?<m>\d\d)/dg, text = 'one two three four five six seven eight nine';
const ids = { [Symbol.for('id')]: 1, [Symbol.iterator]: function* () { yield* [1, 2]; } }; const own = Symbol('own'); const wrapped = Object(own); const hash = new Map([[own, 1]]); let big = 10n ** 30n; const when = new Date(1e12); const invalid = new Date(NaN);
const nul = 'a\0b\u2028c\ud83d'; const long = 'ab'.repeat(3000); const cut = long.slice(1, -1); const joined = long + cut;
function step(n) { big *= 3n; when.setDate(when.getDate() + 1); console.log(render(n), sticky.exec(text)?.[0], sticky.lastIndex, named.exec('2020-01 2021-02')?.groups.m, named.lastIndex, named.flags, [...ids].length, ids[Symbol.for('id')], hash.get(own), wrapped == own, big % 1000007n, when.toISOString(), String(invalid), nul.length, nul.codePointAt(4), joined.length, own.toString(), own.description); }
let turn = 0;
const timer = setInterval(() => { turn++; step(turn); if (turn === 8) clearInterval(timer); }, 25);
