'use strict';
// Runs every case of one file, each in a fresh directory of its own, and prints one line of JSON
// for each: what it logged and what it threw. Nothing here knows whether it runs natively.
const fs = require('fs');
const path = require('path');
const util = require('util');

const cases = require(path.resolve(process.argv[2]));
const home = process.cwd();

async function main() {
  for (const [name, body] of Object.entries(cases)) {
    fs.mkdirSync(path.join(home, 'work', name), { recursive: true });
    process.chdir(path.join(home, 'work', name));
    const lines = [];
    const show = (value) => (typeof value === 'string' ? value : util.inspect(value, { depth: 5 }));
    const log = (...values) => lines.push(values.map(show).join(' '));
    // What is thrown is part of the answer, with its stack.
    const attempt = (action) => {
      try { log('returned', action()); } catch (error) { log('threw', error, error.stack); }
    };
    attempt.later = async (action) => {
      try { log('resolved', await action()); } catch (error) { log('rejected', error, error.stack); }
    };
    try {
      await body({ log, attempt });
    } catch (error) {
      log('failed', error);
    }
    process.chdir(home);
    console.log(JSON.stringify({ name, lines }));
  }
}

main();
