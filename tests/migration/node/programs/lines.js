// Lines of standard input by hand, with a rest that waits for its end.
let rest = '';
let count = 0;
let sum = 0;
process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk) => {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop();
  for (const line of lines) { count++; sum += line.length; console.log(count, line.toUpperCase()); }
});
process.stdin.on('end', () => console.log('end', count, sum, JSON.stringify(rest)));
