// Lines of standard input by readline.
const readline = require('readline');
const rl = readline.createInterface({ input: process.stdin, crlfDelay: Infinity });
const words = new Map();
let lines = 0;
rl.on('line', (line) => {
  lines++;
  for (const word of line.split(' ')) words.set(word, (words.get(word) ?? 0) + 1);
  if (lines % 50 === 0) console.log(lines, words.size, line);
});
rl.once('close', () => console.log('closed', lines, [...words].slice(0, 5).join()));
