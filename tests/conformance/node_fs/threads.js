'use strict';
// worker_threads.
const fs = require('fs');
const { Worker, MessageChannel, isMainThread, threadId } = require('worker_threads');

// What a worker says and how it ends.
function worked(source, options = {}) {
  return new Promise((resolve) => {
    const said = [];
    const worker = new Worker(source, { eval: true, ...options });
    worker.on('message', (message) => said.push(message));
    worker.on('error', (error) => said.push(['error', error.message]));
    worker.on('exit', (code) => resolve([said, code]));
  });
}
const head =
  'const { parentPort, workerData } = require("worker_threads"); const fs = require("fs");';

module.exports = {
  'a worker reads and writes the same files'() {
    fs.writeFileSync('a', 'main');
    return worked(
      `${head} fs.appendFileSync('a', '+worker');
        parentPort.postMessage(fs.readFileSync('a', 'utf8'));`,
    ).then((result) => [result, fs.readFileSync('a', 'utf8')]);
  },
  'a worker from a file, CommonJS and ESM'() {
    fs.writeFileSync('w.js', `${head} parentPort.postMessage([__filename, workerData]);`);
    fs.writeFileSync(
      'w.mjs',
      'import { parentPort } from "worker_threads"; parentPort.postMessage(import.meta.url);',
    );
    return Promise.all(
      ['./w.js', './w.mjs'].map((name) => worked(name, { eval: false, workerData: { a: 1 } })),
    );
  },
  'a worker: promises and streams of fs'() {
    return worked(`${head} (async () => { await fs.promises.writeFile('a', 'x'.repeat(9));
      let n = 0;
      for await (const chunk of fs.createReadStream('a')) n += chunk.length;
        parentPort.postMessage(n); })()`);
  },
  'a worker that throws, and one that exits'() {
    return Promise.all([
      worked('throw new Error("mine")'),
      worked('process.exit(7)'),
      worked('process.exitCode = 3'),
    ]);
  },
  'a worker is in the same process and directory'() {
    return worked(
      `${head} let e; try { process.chdir('/'); } catch (x) { e = x.code; }
      parentPort.postMessage([process.cwd(), process.pid === ${process.pid},
        process.env.PATH === workerData, e]);`,
      { workerData: process.env.PATH },
    );
  },
  'a worker follows chdir of the main thread'() {
    fs.mkdirSync('d');
    const worker = new Worker(
      `${head} parentPort.on('message', () => { parentPort.postMessage(process.cwd());
        parentPort.close(); });`,
      { eval: true },
    );
    process.chdir('d');
    worker.postMessage('go');
    return new Promise((resolve) => worker.on('message', resolve));
  },
  'a worker: errors of fs arrive whole'() {
    return worked(
      `${head} try { fs.readFileSync('none');
        } catch (e) { parentPort.postMessage([e.code, e.message, e.path, e.errno]); }`,
    );
  },
  'shared memory'() {
    const shared = new SharedArrayBuffer(4);
    return worked('Atomics.add(new Int32Array(require("worker_threads").workerData), 0, 42)', {
      workerData: shared,
    }).then((result) => [result, new Int32Array(shared)[0]]);
  },
  'channels and transfer'() {
    const { port1, port2 } = new MessageChannel();
    const answer = new Promise((resolve) =>
      port1.on('message', (message) => {
        resolve(message);
        port1.close();
      }),
    );
    return worked('require("worker_threads").workerData.postMessage("through the port")', {
      workerData: port2,
      transferList: [port2],
    }).then(async (result) => [result, await answer]);
  },
  'standard output of a worker'() {
    const worker = new Worker('console.log("from a worker"); console.error("err")', {
      eval: true,
      stdout: true,
      stderr: true,
    });
    const text = async (stream) => {
      let all = '';
      for await (const chunk of stream) all += chunk;
      return all;
    };
    return Promise.all([text(worker.stdout), text(worker.stderr)]);
  },
  'a worker starts a program'() {
    return worked(
      `${head} parentPort.postMessage(require('child_process').execFileSync(process.execPath,
        ['-p', '6 * 7'], { encoding: 'utf8' }));`,
    );
  },
  terminate() {
    const worker = new Worker('for (;;);', { eval: true });
    return new Promise((resolve) => worker.once('online', resolve)).then(() => worker.terminate());
  },
  'a FileHandle moves to a worker'() {
    fs.writeFileSync('a', 'by handle');
    return fs.promises
      .open('a')
      .then((handle) =>
        worked(
          `${head} workerData.readFile('utf8').then((text) => { parentPort.postMessage(text);
            return workerData.close(); });`,
          { workerData: handle, transferList: [handle] },
        ),
      );
  },
  'main thread'() {
    return [isMainThread, threadId];
  },
  'requires a module of the tree'() {
    fs.writeFileSync('m.js', 'module.exports = "module"');
    return worked(`${head} parentPort.postMessage(require(process.cwd() + '/m.js'));`);
  },
};
