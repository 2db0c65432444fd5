'use strict';
// The standard streams, as far as the program has used them, and the files it has open by number.
//
// The kernel's ends are not in the image: the target has them at the same numbers, and an adapter
// may say otherwise. What is in it is what Node had already read, and who listens.

const { internalRequire } = require('./internals');
const { original } = require('./steps');

const NAMES = ['stdin', 'stdout', 'stderr'];
const { guessHandleType } = internalRequire('internal/util');

// The streams of those that the program has looked at, by number; looking makes the others.
function usedStreams(capture) {
  const found = [];
  NAMES.forEach((name, fd) => {
    const property = Reflect.getOwnPropertyDescriptor(process, name);
    if (!property?.get) {
      if (property) found[fd] = property.value;
      return;
    }
    for (const { values } of capture.inspector.scopes(property.get)) {
      if (values[name]) { found[fd] = values[name]; return; }
    }
  });
  return found;
}

// [event, listener] of what the program listens to; Node's own listeners come by themselves.
function listenersOf(capture, emitter, id) {
  const found = [];
  for (const type of emitter.eventNames()) {
    for (const listener of emitter.rawListeners(type)) {
      if (capture.isNodes(listener)) continue;
      found.push([capture.graph.value(type, id, '(event)'),
                  capture.graph.value(listener, id, `.on(${String(type)})`)]);
    }
  }
  return found;
}

// Listeners of Node that every such stream has, or whose other end is moved too.
const USUAL = new Set(['onReadableStreamEnd', 'onend', 'onerror', 'ondata', '']);
const READLINE = new Set(['onend', 'onerror', 'ondata']);

// Ends the capture where Node itself listens for something that would be lost.
function checkListeners(capture, stream, id) {
  const hasReadline = capture.readlines.some(({ input }) => input === stream);
  for (const type of stream.eventNames()) {
    for (const listener of stream.rawListeners(type)) {
      if (!capture.isNodes(listener)) continue;
      const { name } = listener.listener ?? listener;
      if (USUAL.has(name) && (hasReadline || !READLINE.has(name))) continue;
      if (name === 'bound onceWrapper' || name === 'dummyDestroy') continue;
      capture.graph.refuse(`a stream to which Node listens (${name || 'without a name'})`, id,
                           `.on(${String(type)})`);
    }
  }
}

function readAhead(stream) {
  const state = stream._readableState;
  const pieces = [];
  if (state.buffer) {
    for (const piece of Array.from(state.buffer).slice(state.bufferIndex ?? 0)) pieces.push(piece);
  }
  return pieces;
}

function recordReadable(capture, stream, id, record) {
  const state = stream._readableState;
  const { graph } = capture;
  record.ended = state.ended ? 1 : 0;
  record.endEmitted = state.endEmitted ? 1 : 0;
  record.flowing = state.flowing;
  record.paused = stream.isPaused() ? 1 : 0;
  record.encoding = state.encoding;
  if (state.decoder?.lastNeed) {
    const { lastNeed, lastTotal, lastChar } = state.decoder;
    record.partial = Buffer.from(lastChar.subarray(0, lastTotal - lastNeed)).toString('latin1');
  }
  record.ahead = readAhead(stream).map((piece) => (typeof piece === 'string' ? piece :
    { latin1: Buffer.from(piece).toString('latin1') }));
  if (state.pipes?.length) {
    record.pipes = state.pipes.map((to) => graph.value(to, id, '.pipe'));
    graph.refuse('standard input that is piped to a stream', id);
  }
  record.ref = stream._handle?.hasRef ? (stream._handle.hasRef() ? 1 : 0) : 1;
}

function recordStream(capture, stream, id) {
  const fd = capture.streams.indexOf(stream);
  if (fd < 0) return undefined;
  const { graph } = capture;
  if (guessHandleType(fd) === 'TTY') {
    graph.refuse('a terminal', id);
  }
  checkListeners(capture, stream, id);
  const record = { k: 'stream', fd, listeners: listenersOf(capture, stream, id) };
  if (fd === 0) recordReadable(capture, stream, id, record);
  else if (stream.writableLength > 0) graph.refuse('output that was not written yet', id);
  record.destroyed = stream.destroyed ? 1 : 0;
  record.finished = stream._writableState?.ending ? 1 : 0;
  return record;
}

// What libuv and Node have in hand for the standard streams: {counts, objects}.
function handlesOf(streams) {
  const counts = {};
  const objects = new Set();
  streams.forEach((stream) => {
    const handle = stream?._handle;
    if (!handle) return;
    objects.add(handle);
    const type = { Pipe: 'pipe', TTY: 'tty', TCP: 'tcp' }[handle.constructor?.name];
    if (type) counts[type] = (counts[type] ?? 0) + 1;
  });
  return { counts, objects };
}

// The descriptors with which the program's next life has to start.
function openFiles(ours) {
  const found = [];
  const list = original.readdir('/proc/self/fd', 'utf8', false);
  for (const name of list) {
    const fd = Number(name);
    if (ours.has(fd)) continue;
    let path;
    try {
      path = original.readlink(`/proc/self/fd/${fd}`, 'utf8');
    } catch {
      continue;
    }
    if (typeof path !== 'string') continue;
    const kind = fd <= 2 ? guessHandleType(fd).toLowerCase() : path.startsWith('/') ? 'file' : null;
    if (kind === null) continue;
    const entry = { fd, kind, path };
    const text = readText(`/proc/self/fdinfo/${fd}`);
    const match = /pos:\s*(\d+)\s+flags:\s*(\d+)/.exec(text);
    if (match) { entry.offset = Number(match[1]); entry.flags = parseInt(match[2], 8); }
    entry.inode = /ino:\s*(\d+)/.exec(text)?.[1];
    found.push(entry);
  }
  return found;
}

function readText(path) {
  const fd = original.open(path, 0, 0);
  try {
    const piece = Buffer.alloc(4096);
    return piece.toString('latin1', 0, original.read(fd, piece, 0, piece.length, -1));
  } finally {
    original.close(fd);
  }
}

// A file that flows has its next read in flight at every turn. Holds back the one after it; what
// this returns lets the stream go on.
function holdInput() {
  const { Inspector } = require('./moving/inspect');
  const inspector = new Inspector();
  let stdin;
  try {
    [stdin] = usedStreams({ inspector });
  } finally {
    inspector.close();
  }
  if (!stdin || guessHandleType(0) !== 'FILE' || Object.hasOwn(stdin, '_read')) return () => {};
  let held;
  stdin._read = (count) => { held = count; };
  return () => {
    delete stdin._read;
    if (held !== undefined) stdin._read(held);
  };
}

module.exports = { handlesOf, holdInput, listenersOf, openFiles, recordStream, usedStreams };
