// Prints when it was coldest, from objects with `date` and `celsius`.
//
// A program of OneOS: `process.stdin.json` is one of its record streams (docs/records.md).

(async () => {
  let coldest;
  for await (const reading of process.stdin.json) {
    if (!coldest || reading.celsius < coldest.celsius) coldest = reading;
  }
  console.log(coldest ? `${coldest.date} ${coldest.celsius}` : 'no readings');
})();
