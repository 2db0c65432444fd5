'use strict';
// Node's own kinds of objects that move: each by what makes it again.

const EventEmitter = require('events');
const { writeProperties } = require('./moving/properties');

// Prototypes of Node on which plain objects may stand, since all they are is properties.
const PLAIN = new Set([EventEmitter.prototype, Object.getPrototypeOf(function* () {}).prototype]);

const isAllowed = (prototype) => PLAIN.has(prototype);

function recordOther(capture, object, id) {
  const { graph } = capture;
  const prototype = Reflect.getPrototypeOf(object);
  if (prototype === URL.prototype) {
    return writeProperties(graph, object, id, { k: 'url', text: object.href },
                           (key) => typeof key === 'symbol');
  }
  if (prototype === URLSearchParams.prototype) {
    return { k: 'search', text: String(object) };
  }
  if (prototype === TextEncoder.prototype) return { k: 'encoder' };
  return undefined;
}

module.exports = { isAllowed, recordOther };
