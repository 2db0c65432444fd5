'use strict';
// Where a program finds the record streams: `json` and `segment` of its standard streams.
//
// They are not enumerable, and made when a program first asks for one: until then no program has
// loaded or changed anything. What they are is records.js' business (docs/records.md).

const { Pipe } = require('./internals').internalBinding('pipe_wrap');

// As it is before sockets.js: recordlock.js needs it, and is loaded long after.
const { bind } = Pipe.prototype;

const OFFERED = { stdin: ['json', 'segment'], stdout: ['json', 'segment'], stderr: ['json'] };

function decorate(stream, name) {
  for (const kind of OFFERED[name]) {
    Object.defineProperty(stream, kind, {
      configurable: true,
      enumerable: false,
      get() {
        const value = require('./records').make(kind, stream, name);
        Object.defineProperty(stream, kind, { value });
        return value;
      },
      set(value) { Object.defineProperty(stream, kind, { value, writable: true }); },
    });
  }
}

function install() {
  for (const name of Object.keys(OFFERED)) {
    const property = Object.getOwnPropertyDescriptor(process, name);
    if (!property?.get || !property.configurable) continue;
    const real = property.get;
    let decorated;
    const get = function() {
      const stream = real.call(this);
      if (stream && stream !== decorated) {
        decorated = stream;
        decorate(stream, name);
      }
      return stream;
    };
    Object.defineProperty(get, 'name', { value: real.name });
    Object.defineProperty(process, name, { ...property, get });
  }
}

module.exports = { bind, install };
