// Reads one number a line and prints how many there are, their mean, the lowest and the highest.

let count = 0, sum = 0, min = Infinity, max = -Infinity, rest = '';

function take(line) {
  if (line === '') return;
  const value = Number(line);
  count += 1;
  sum += value;
  min = Math.min(min, value);
  max = Math.max(max, value);
}

process.stdin.setEncoding('utf8');
process.stdin.on('data', (text) => {
  const lines = (rest + text).split('\n');
  rest = lines.pop();
  lines.forEach(take);
});
process.stdin.on('end', () => {
  take(rest);
  console.log(`count ${count}`);
  if (count === 0) return;
  console.log(`mean ${(sum / count).toFixed(2)}`);
  console.log(`min ${min.toFixed(2)}`);
  console.log(`max ${max.toFixed(2)}`);
});
