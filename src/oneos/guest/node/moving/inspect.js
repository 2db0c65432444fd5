'use strict';
// What the inspector supplies of one object, synchronously, on the program's own thread.
//
// A session is open only while a capture runs. Objects cross between the inspector and us in one
// hidden place, since its protocol knows only identifiers.

const { Session } = require('inspector');
const { NotMovable } = require('./moving/refusal');

const GROUP = 'oneos';

class Inspector {
  constructor() {
    this.session = new Session();
    this.session.connect();
    this.urls = new Map();
    this.modules = new Set();  // Numbers of scripts that are ES modules.
    this.session.on('Debugger.scriptParsed', ({ params }) => {
      this.urls.set(Number(params.scriptId), params.url);
      if (params.isModule) this.modules.add(Number(params.scriptId));
    });
    this.cell = { now: undefined };
    this.name = `oneos${process.hrtime.bigint()}`;
    Object.defineProperty(globalThis, this.name, { configurable: true, value: this.cell });
    try {
      this.post('Debugger.enable');
    } catch (error) {
      this.close();
      throw error;
    }
  }

  post(method, params) {
    let failure;
    let result;
    this.session.post(method, params, (error, answer) => { failure = error; result = answer; });
    if (failure) throw new NotMovable(`the inspector failed at ${method}: ${failure.message}`);
    return result;
  }

  close() {
    try {
      this.post('Runtime.releaseObjectGroup', { objectGroup: GROUP });
      this.post('Debugger.disable');
    } finally {
      delete globalThis[this.name];
      this.session.disconnect();
    }
  }

  idOf(object) {
    this.cell.now = object;
    const { result } = this.post('Runtime.evaluate', {
      expression: `${this.name}.now`, objectGroup: GROUP,
    });
    this.cell.now = undefined;
    return result.objectId;
  }

  // The value behind what the inspector calls a remote object.
  valueOf(remote) {
    if (!remote || remote.type === 'undefined') return undefined;
    if (remote.objectId) return this.objectOf(remote.objectId);
    const { unserializableValue: text } = remote;
    if (text === undefined) return remote.value;
    return text.endsWith('n') ? BigInt(text.slice(0, -1)) : Number(text);
  }

  objectOf(objectId) {
    this.post('Runtime.callFunctionOn', {
      objectId,
      functionDeclaration: `function() { globalThis.${this.name}.now = this; }`,
      objectGroup: GROUP,
    });
    const { now } = this.cell;
    this.cell.now = undefined;
    return now;
  }

  properties(objectId) {
    return this.post('Runtime.getProperties', { objectId, ownProperties: true });
  }

  // The internal slots that the inspector shows, by their names in brackets, as values.
  slots(object) {
    const found = {};
    for (const { name, value } of this.properties(this.idOf(object)).internalProperties ?? []) {
      found[name] = () => this.valueOf(value);
    }
    return found;
  }

  // [name, value] of the private fields that an object has; methods come with the class.
  privateFields(object) {
    const found = [];
    for (const field of this.properties(this.idOf(object)).privateProperties ?? []) {
      if (field.value) found.push([field.name, this.valueOf(field.value)]);
    }
    return found;
  }

  // The scopes a function or a suspended frame sees, innermost first, without the global ones:
  // {kind, names, values}, the values as an object without prototype.
  scopes(object) {
    const remote = this.properties(this.idOf(object)).internalProperties
      ?.find(({ name }) => name === '[[Scopes]]');
    if (!remote) return [];
    const found = [];
    for (const scope of Array.from(this.objectOf(remote.value.objectId))) {
      const kind = scope.description.split(' ')[0];
      if (kind === 'Script' && Object.getOwnPropertyNames(scope.object).length > 0) {
        throw new NotMovable('a let, const or class of a script of vm', scope.description);
      }
      if (kind === 'Global' || kind === 'Script') continue;
      const values = Object.create(null);
      for (const name of Object.getOwnPropertyNames(scope.object)) {
        if (name === 'this' || name.startsWith('.')) continue;
        values[name] = scope.object[name];
      }
      found.push({ kind, names: Object.keys(values), values });
    }
    return found;
  }

  sourceOf(scriptId) {
    return this.post('Debugger.getScriptSource', { scriptId: String(scriptId) }).scriptSource;
  }
}

module.exports = { Inspector };
