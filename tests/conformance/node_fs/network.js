'use strict';
// net, http and dgram on loopback.
const fs = require('fs');
const net = require('net');
const http = require('http');
const dgram = require('dgram');
const dns = require('dns');

const listening = (server) =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
const text = async (stream) => {
  let all = '';
  for await (const chunk of stream) all += chunk;
  return all;
};

module.exports = {
  async 'net: echo'() {
    const server = net.createServer((socket) => socket.pipe(socket));
    const port = await listening(server);
    const socket = net.connect(port, '127.0.0.1');
    socket.end('echo '.repeat(1000));
    const answer = await text(socket);
    const { address, family } = server.address();
    server.close();
    return [answer.length, address, family, socket.remoteAddress];
  },
  async 'net: refused'() {
    const server = net.createServer();
    const port = await listening(server);
    await new Promise((resolve) => server.close(resolve));
    const error = await new Promise((resolve) =>
      net.connect(port, '127.0.0.1').on('error', resolve),
    );
    return [error.code, error.syscall, error.address, error.errno];
  },
  async 'net: an address in use'() {
    const server = net.createServer();
    const port = await listening(server);
    const error = await new Promise((resolve) =>
      net.createServer().on('error', resolve).listen(port, '127.0.0.1'),
    );
    server.close();
    return [error.code, error.syscall];
  },
  async 'net: by the name localhost'() {
    const server = net.createServer((socket) => socket.end('hello'));
    const port = await listening(server);
    const answer = await text(net.connect({ port, host: 'localhost', family: 4 }));
    server.close();
    return answer;
  },
  async 'net: half open, events'() {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('end', () => socket.end('after the end')).resume();
    });
    const port = await listening(server);
    const socket = net.connect(port, '127.0.0.1');
    socket.end('x');
    const answer = await text(socket);
    server.close();
    return [answer, socket.bytesWritten, socket.bytesRead];
  },
  async 'net: a local socket'() {
    const server = net.createServer((socket) => socket.end('local'));
    const error = await new Promise((resolve) => {
      server.on('error', resolve);
      server.listen('s.sock', () => resolve(null));
    });
    if (error) return error.code;
    const answer = await text(net.connect('s.sock'));
    const there = fs.statSync('s.sock').isSocket();
    await new Promise((resolve) => server.close(resolve));
    return [answer, there, fs.existsSync('s.sock')];
  },
  async 'net: a local socket that nobody has'() {
    const error = await new Promise((resolve) => net.connect('none.sock').on('error', resolve));
    return [error.code, error.syscall];
  },
  async 'http: requests and answers'() {
    const server = http.createServer((request, response) => {
      if (request.url === '/none') {
        response.writeHead(404);
        response.end('no');
        return;
      }
      response.setHeader('X-Method', request.method);
      request.pipe(response);
    });
    const port = await listening(server);
    const ask = (path, options, body) =>
      new Promise((resolve, reject) =>
        http
          .request({ port, host: '127.0.0.1', path, ...options }, async (response) =>
            resolve([response.statusCode, response.headers['x-method'], await text(response)]),
          )
          .on('error', reject)
          .end(body),
      );
    const found = [
      await ask('/', { method: 'POST' }, 'body'),
      await ask('/none'),
      await ask('/x', { method: 'PUT' }, 'y'.repeat(1000)),
    ];
    server.close();
    return found;
  },
  async 'http: a file is served and stored'() {
    fs.writeFileSync('page', 'the page');
    const server = http.createServer((request, response) => {
      if (request.method === 'GET') fs.createReadStream('page').pipe(response);
      else request.pipe(fs.createWriteStream('stored')).on('close', () => response.end('ok'));
    });
    const port = await listening(server);
    const page = await (await fetch(`http://127.0.0.1:${port}/`)).text();
    const stored = await (
      await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: 'sent' })
    ).text();
    server.close();
    return [page, stored, fs.readFileSync('stored', 'utf8')];
  },
  async 'http: keep-alive and closing'() {
    const server = http.createServer((request, response) =>
      response.end(`${request.headers.connection}`),
    );
    const port = await listening(server);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const ask = () =>
      new Promise((resolve) =>
        http.get({ port, host: '127.0.0.1', agent }, async (response) =>
          resolve(await text(response)),
        ),
      );
    const found = [await ask(), await ask(), Object.keys(agent.freeSockets).length];
    agent.destroy();
    server.close();
    return found;
  },
  async 'dgram: a message and its answer'() {
    const server = dgram.createSocket('udp4');
    await new Promise((resolve) => server.bind(0, '127.0.0.1', resolve));
    server.on('message', (message, from) => server.send(`<${message}>`, from.port, from.address));
    const client = dgram.createSocket('udp4');
    const answer = new Promise((resolve) =>
      client.on('message', (message) => resolve(`${message}`)),
    );
    client.send('hello', server.address().port, '127.0.0.1');
    const found = [await answer, server.address().address];
    client.close();
    server.close();
    return found;
  },
  'net: argument errors'({ tried }) {
    return [
      tried(() => net.connect({ port: 99999 })),
      tried(() => net.connect({ port: 'x' })),
      tried(() => net.createServer(1)),
      tried(() => dgram.createSocket('bad')),
      tried(() => net.createServer().listen({})),
      net.isIP('::1'),
      net.isIP('x'),
    ];
  },
  async 'dns: localhost'() {
    const { address } = await dns.promises.lookup('localhost', { family: 4 });
    return address;
  },
  async 'a child serves, the parent asks'() {
    const { spawn } = require('child_process');
    const source =
      `const s = require("http").createServer((q, r) => r.end("child")).listen(0, "127.0.0.1",
        () => console.log(s.address().port))`;
    const child = spawn(process.execPath, ['-e', source]);
    const port = await new Promise((resolve) =>
      child.stdout.once('data', (chunk) => resolve(Number(`${chunk}`))),
    );
    const answer = await (await fetch(`http://127.0.0.1:${port}/`)).text();
    child.kill();
    return answer;
  },
};
