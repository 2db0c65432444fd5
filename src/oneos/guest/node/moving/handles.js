'use strict';
// Whether all that Node has in hand for the program is accounted for.
//
// Requests in flight end by themselves, so they are waited for. Handles of libuv and objects of
// Node's C++ part do not: each must be a standard stream or ours, whether or not the program can
// still reach it, and whether or not it keeps the program alive.

const { internalBinding } = require('./internals');
const { WORD } = require('./moving/memory');
const { NotMovable } = require('./moving/refusal');

const WHAT = {
  UDP: 'a datagram socket', Worker: 'a worker', Process: 'a child process', Zlib: 'a zlib stream',
  BrotliEncoder: 'a zlib stream', BrotliDecoder: 'a zlib stream', FSEvent: 'a watched file',
  StatWatcher: 'a watched file', FileHandle: 'an open FileHandle', MessagePort: 'a message port',
  TCP: 'a TCP socket', TLSWrap: 'a TLS socket', TTY: 'a terminal', Pipe: 'a pipe or socket',
  Signal: 'a signal handler', HTTPParser: 'an HTTP connection', Http2Session: 'an HTTP/2 session',
  QueryReqWrap: 'a DNS query', GetAddrInfoReqWrap: 'a DNS query', JSStream: 'a stream',
};

const HANDLES = { tcp: 'TCP', pipe: 'Pipe', udp: 'UDP', tty: 'TTY', process: 'Process',
                  fs_event: 'FSEvent', fs_poll: 'StatWatcher', signal: 'Signal', poll: 'Signal' };

// What has another end: that would learn that it is gone, also where nothing is going on.
const CONNECTED = new Set(['tcp', 'pipe', 'udp']);

// Objects that exist where a module is loaded, and do nothing by themselves.
const IDLE = new Set(['Signal', 'ChannelWrap', 'HTTPParser', 'SecureContext', 'HandleWrap']);

// Requests, which `isBusy` knows while they are in flight; later they are garbage.
const REQUESTS = new Set(['WriteWrap', 'ShutdownWrap', 'FSReqCallback']);

const FIRST_FIELD = 3;  // The word of an object of C++ that leads there.

const nameOf = (object) => {
  try { return object.constructor?.name ?? ''; } catch { return ''; }
};

// Throws NotMovable where libuv has an active handle that is none of `known`, a count by type.
function checkLoop(known) {
  const counts = { ...known };
  const was = process.report.excludeNetwork;
  process.report.excludeNetwork = true;
  let libuv;
  try {
    ({ libuv } = process.report.getReport());
  } finally {
    process.report.excludeNetwork = was;
  }
  for (const { type, is_active: active, is_referenced: referenced } of libuv) {
    const kind = HANDLES[type];
    if (!kind) continue;
    if (counts[type] > 0) { counts[type] -= 1; continue; }
    if (active || referenced || CONNECTED.has(type)) {
      throw new NotMovable(`${WHAT[kind]} is open that OneOS does not know`, 'the event loop');
    }
  }
}

function asyncWrapPrototype() {
  let at = internalBinding('tcp_wrap').TCP.prototype;
  while (nameOf(at) !== 'AsyncWrap' && at) at = Object.getPrototypeOf(at);
  return at;
}

// Those that belong to an object of C++: V8 keeps patterns of some kinds, which crash if used.
function wrapped({ memory, layout }, objects) {
  return memory.withAddresses(objects, (at) => objects.filter((_, i) =>
    memory.word(at[i] + FIRST_FIELD * WORD) !== layout.undefined));
}

// Whether Node's own list of its objects of C++ has one that may be at work. It has those as well
// that nothing leads to any more, and takes 2 ms; to look for those that live takes a collection.
function mayBeMore(known) {
  const { buildEmbedderGraph } = internalBinding('heap_utils');
  const prototype = asyncWrapPrototype();
  for (const { edges } of buildEmbedderGraph()) {
    const object = edges.find(({ name }) => name === 'native_to_javascript')?.to.value;
    if (object === undefined || known.has(object)) continue;
    const name = nameOf(object);
    if (Object.prototype.isPrototypeOf.call(prototype, object) && !IDLE.has(name) &&
        !REQUESTS.has(name)) return true;
  }
  return false;
}

// Throws NotMovable where an object of C++ lives that is none of `known`, a set of objects.
function checkObjects(capture, known) {
  const { inspector } = capture;
  if (!mayBeMore(known)) return;
  const { objects } = inspector.post('Runtime.queryObjects', {
    prototypeObjectId: inspector.idOf(asyncWrapPrototype()), objectGroup: 'oneos',
  });
  const found = Array.from(inspector.objectOf(objects.objectId))
    .filter((object) => !Object.hasOwn(object, 'constructor') && !known.has(object));
  for (const object of wrapped(capture, found)) {
    const name = nameOf(object);
    if (IDLE.has(name) || name === '') continue;
    if (/Job$/.test(name)) {
      throw new NotMovable('a cryptographic operation in flight', `the ${name} of Node`);
    }
    if (capture.isIdleRequest(object)) continue;
    throw new NotMovable(WHAT[name] ?? `a native object (${name})`, 'what Node has in hand');
  }
}

// Whether a request is in flight that is none of ours; the turn is not the one to capture.
function isBusy() {
  return process._getActiveRequests().length > 0;
}

module.exports = { checkLoop, checkObjects, isBusy };
