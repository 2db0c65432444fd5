'use strict';
// Timeouts, intervals and immediates: those of Node's own lists, with the time that is left.

const { internalBinding, internalRequire } = require('./internals');
const { probes } = require('./moving/probes');
const { writeProperties } = require('./moving/properties');

const timers = internalRequire('internal/timers');
const { getLibuvNow } = internalBinding('timers');

// Every pending Timeout, in the order in which they fire.
function pendingTimeouts() {
  const found = [];
  for (const list of Object.values(timers.timerListMap)) {
    for (let at = list._idlePrev; at !== list; at = at._idlePrev) found.push(at);
  }
  const due = (timer) => timer._idleStart + timer._idleTimeout;
  return found.sort((a, b) => due(a) - due(b));
}

function pendingImmediates() {
  const found = [];
  for (let at = timers.immediateQueue.head; at; at = at._idleNext) found.push(at);
  return found;
}

const asyncSymbols = new Set([timers.async_id_symbol, timers.trigger_async_id_symbol,
  timers.kRefed, timers.kHasPrimitive]);

const OWN = new Set(['_idleTimeout', '_idlePrev', '_idleNext', '_idleStart', '_onTimeout',
  '_timerArgs', '_repeat', '_destroyed', '_onImmediate', '_argv']);
const isOwn = (key) => OWN.has(key) || asyncSymbols.has(key) ||
  (typeof key === 'symbol' && ['asyncId', 'triggerId'].includes(key.description));

// The record of a timer; undefined for anything else.
function recordTimer(capture, object, id) {
  const prototype = Reflect.getPrototypeOf(object);
  const { Timeout, Immediate } = probes();
  if (prototype !== Timeout && prototype !== Immediate) return undefined;
  const { graph } = capture;
  if (prototype === Immediate) {
    const record = { k: 'immediate' };
    if (object._destroyed) return { ...record, dead: 1 };
    record.call = graph.value(object._onImmediate, id, '._onImmediate');
    record.args = (object._argv ?? []).map((arg, i) => graph.value(arg, id, `(argument ${i})`));
    record.ref = object.hasRef() ? 1 : 0;
    return writeProperties(graph, object, id, record, isOwn);
  }
  const record = { k: 'timeout', repeat: object._repeat, after: object._idleTimeout };
  if (object._destroyed || !capture.pending.has(object)) {
    record.dead = 1;
    record.ref = object.hasRef() ? 1 : 0;
    record.call = graph.value(object._onTimeout, id, '._onTimeout');
    return writeProperties(graph, object, id, record, isOwn);
  }
  record.call = graph.value(object._onTimeout, id, '._onTimeout');
  record.args = (object._timerArgs ?? []).map((arg, i) => graph.value(arg, id, `(argument ${i})`));
  record.left = Math.max(0, object._idleStart + object._idleTimeout - capture.now);
  record.ref = object.hasRef() ? 1 : 0;
  if (timers.knownTimersById[object[timers.async_id_symbol]] === object) {
    graph.refuse('a timer that is used as a number', id);
  }
  return writeProperties(graph, object, id, record, isOwn);
}

module.exports = { getLibuvNow, pendingImmediates, pendingTimeouts, recordTimer };
