'use strict';
// Runs every case of the subjects named on the command line (all of them without a name), each in
// a fresh directory, and prints one line of JSON for each: {case, result}. Knows nothing of where
// it runs. What differs between any two runs (the root, times, numbers of inodes and processes)
// is no part of a result: the directories are written as
// $ROOT and $CASES, the rest the cases leave out.
const fs = require('fs');
const path = require('path');

const CASE_MS = 20_000;
const root = process.cwd();
const subjects =
  process.argv.length > 2
    ? process.argv.slice(2)
    : fs
        .readdirSync(__dirname)
        .filter((name) => name.endsWith('.js') && name !== 'run.js')
        .map((name) => name.slice(0, -'.js'.length))
        .sort();

const ERROR_FIELDS = ['code', 'message', 'syscall', 'path', 'dest', 'errno'];

const hidden = (text) => text.replaceAll(__dirname, '$CASES').replaceAll(root, '$ROOT');

// A value as JSON can hold it and a person can read it.
function plain(value) {
  if (value === undefined) return '(undefined)';
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'string') return hidden(value);
  if (Buffer.isBuffer(value)) return `Buffer:${hidden(value.toString('latin1'))}`;
  if (value instanceof Error) {
    const fields = ERROR_FIELDS.filter((name) => value[name] !== undefined);
    return { threw: value.name, ...Object.fromEntries(fields.map((x) => [x, plain(value[x])])) };
  }
  if (value instanceof Map) return plain([...value]);
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return Array.from(value, plain);
  if (typeof value === 'function') return `function ${value.name}`;
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, x]) => [name, plain(x)]));
  }
  return value;
}

const tools = {
  // What a synchronous call returned or threw.
  tried(action) {
    try {
      return action();
    } catch (error) {
      return error;
    }
  },
  // What a promise came to.
  async settled(promise) {
    try {
      return await promise;
    } catch (error) {
      return error;
    }
  },
  // What a callback was given: its error, or the rest.
  called(action, ...args) {
    return new Promise((resolve) => {
      action(...args, (error, ...rest) => resolve(error || (rest.length > 1 ? rest : rest[0])));
    });
  },
  // All events of these names, in order, until the last of the names.
  events(emitter, ...names) {
    return new Promise((resolve) => {
      const seen = [];
      for (const name of names) {
        emitter.on(name, (value) => {
          seen.push(value instanceof Error ? [name, value] : name);
          if (name === names.at(-1)) setImmediate(resolve, seen);
        });
      }
    });
  },
  // Everything that a readable stream gives.
  async all(stream) {
    const chunks = [];
    for await (const chunk of stream) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks).toString('latin1');
  },
  root,
};

// What a case came to, or that it took too long, or what nobody caught meanwhile.
async function outcome(promise) {
  let timer, stray;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, CASE_MS, 'took too long');
  });
  const uncaught = new Promise((resolve) => {
    stray = (error) => resolve(['uncaught', error]);
    process.on('uncaughtException', stray);
  });
  try {
    return await Promise.race([promise, late, uncaught]);
  } catch (error) {
    return error;
  } finally {
    clearTimeout(timer);
    process.off('uncaughtException', stray);
  }
}

async function main() {
  for (const subject of subjects) {
    const cases = require(path.join(__dirname, `${subject}.js`));
    for (const [name, body] of Object.entries(cases)) {
      const directory = path.join(root, 'work', subject, name.replace(/\W+/g, '_').slice(0, 60));
      fs.mkdirSync(directory, { recursive: true });
      process.chdir(directory);
      const result = await outcome((async () => body(tools))());
      process.chdir(root);
      const line = JSON.stringify({ case: `${subject}: ${name}`, result: plain(result) });
      fs.writeSync(1, `${line}\n`);
    }
  }
  process.exit(0); // A watcher that a case left open holds no run.
}

main();
