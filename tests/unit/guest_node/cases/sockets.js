'use strict';
// Unix sockets with a name: servers and clients of `net` and `http` by a path.
const fs = require('fs');
const http = require('http');
const net = require('net');

const text = (stream) => new Promise((resolve, reject) => {
  let all = '';
  stream.setEncoding('utf8').on('data', (data) => { all += data; });
  stream.on('end', () => resolve(all)).on('error', reject);
});
const listening = (server, ...where) => new Promise((resolve, reject) => {
  server.on('error', reject).listen(...where, resolve);
});
const closed = (server) => new Promise((resolve) => server.close(resolve));
const shown = ({ code, syscall, address, message }) => [code, syscall, address, message];
const failure = (emitter) => new Promise((resolve) => emitter.on('error', (e) => resolve(shown(e))));

module.exports = {
  async sockets_serve_by_name_and_it_goes_with_the_server({ log }) {
    process.umask(0o027);
    const server = net.createServer((socket) => socket.end('local'));
    await listening(server, 'socket');
    log(server.address(), fs.lstatSync('socket').isSocket());
    log((fs.statSync('socket').mode & 0o777).toString(8));
    log(await text(net.connect('socket')), await text(net.connect(`${process.cwd()}/socket`)));
    log(await failure(net.createServer().listen('socket')));
    await closed(server);
    log(fs.existsSync('socket'));
    await listening(net.createServer().unref(), 'socket');
    process.umask(0o022);
  },
  async sockets_that_nobody_serves({ log }) {
    log(await failure(net.connect('missing')));
    fs.writeFileSync('file', '');
    log(await failure(net.connect('file')));
    log(await failure(net.createServer().listen('file')));
    log(await failure(net.createServer().listen('no/socket')));
    log(fs.readdirSync('.'));
  },
  async sockets_by_a_long_path({ log }) {
    const directory = `${'d'.repeat(30)}/`.repeat(2);
    fs.mkdirSync(directory, { recursive: true });
    const server = net.createServer((socket) => socket.pipe(socket));
    await listening(server, `${directory}socket`);
    const client = net.connect({ path: `${directory}socket` });
    client.end('there and back');
    log(await text(client));
    await closed(server);
    log(fs.readdirSync(directory));
  },
  async sockets_carry_http({ log }) {
    const server = http.createServer((request, response) => response.end(`at ${request.url}`));
    await listening(server, { path: 'http' });
    const answer = await new Promise((resolve, reject) => {
      http.get({ socketPath: 'http', path: '/x' }, resolve).on('error', reject);
    });
    log(answer.statusCode, await text(answer));
    await closed(server);
  },
  async sockets_without_a_name_in_the_tree({ log }) {
    const name = `\0oneos-test-${process.pid}`;
    const server = net.createServer((socket) => socket.end('abstract'));
    await listening(server, name);
    log(await text(net.connect(name)));
    await closed(server);
    log(fs.readdirSync('.'));
  },
};
