'use strict';
// Makes each object of an image, empty; what it holds is filled in later, so that cycles close.

const Module = require('module');
const { internalRequire } = require('./internals');
const { resolve } = require('./moving/builtins');
const { frameOrigins, originals } = require('./moving/originals');
const { finallyHandlers, handlersOf } = require('./moving/combinators');
const make = require('./moving/make');

const TOP = -1;

class Allocator {
  // `bytesOf(part)`: the content of a buffer.
  constructor(state, bytesOf) {
    this.state = state;
    this.bytesOf = bytesOf;
    this.objects = new Array(state.objects.length);
    this.isMade = new Uint8Array(state.objects.length);
    this.unfilled = [];
    this.scopes = new Map();      // Number -> {generator, members}.
    this.hooks = new Map();       // Number of a class -> what its text left.
    this.fresh = new Map();       // Class or prototype -> its properties right after it was made.
    this.prototypes = new Map();  // Number of a prototype -> that of its class.
    this.signals = new Map();     // Number of a signal -> that of its AbortController.
    // Number of an arguments object -> that of the scope that makes it.
    this.argumentsOf = new Map(state.scopes.flatMap(({ arguments: list }, scope) =>
      (list ? [[list[0], scope]] : [])));
    this.deferred = new Map();    // Number of a promise -> {promise, resolve, reject}.
    this.groups = new Map();
    this.groupsToFill = [];
    this.finals = new Map();
    this.run = resolve([['hidden', 'moving']]);
    this.run.made = (made, id, hooks) => { this.hooks.set(id, hooks); };
    state.objects.forEach((record, id) => {
      if (record.k === 'controller' && Array.isArray(record.signal)) {
        this.signals.set(record.signal[0], id);
      }
      if (record.class && Array.isArray(record.prototype)) {
        this.prototypes.set(record.prototype[0], id);
      }
    });
  }

  // What a value of a record stands for.
  value(value) {
    if (value === null || typeof value !== 'object') return value;
    const [kind, text] = value;
    if (typeof kind === 'number') return this.object(kind);
    switch (kind) {
      case 'u': return undefined;
      case 'n': return Number(text);
      case 'b': return BigInt(text);
      default: return text === 'w' ? Symbol[value[2]] : Symbol.for(value[2]);
    }
  }

  object(id) {
    if (this.isMade[id]) return this.objects[id];
    const record = this.state.objects[id];
    let object = this.make(record, id);
    if (this.isMade[id]) return this.objects[id];
    if (record.stamps) object = this.stamp(record, object);
    if (record.proto !== undefined && record.k !== 'closure') {
      Reflect.setPrototypeOf(object, this.value(record.proto));
    }
    // Making it may have made it on the way.
    if (this.isMade[id]) return this.objects[id];
    this.put(id, object);
    return object;
  }

  put(id, object) {
    this.objects[id] = object;
    this.isMade[id] = 1;
    this.unfilled.push(id);
  }

  make(record, id) {
    if (record.k === 'object' && this.prototypes.has(id)) {
      this.object(this.prototypes.get(id));
      return this.objects[id];
    }
    if (this.argumentsOf.has(id)) {
      this.scope(this.argumentsOf.get(id));
      return this.objects[id];
    }
    if (this.signals.has(id)) return this.object(this.signals.get(id)).signal;
    switch (record.k) {
      case 'builtin': return resolve(record.path);
      case 'closure': return this.closure(record, id);
      case 'member': return this.member(record);
      case 'require': return this.require(record);
      case 'module': return this.module(record);
      case 'namespace': return this.linking.namespace(record.module);
      case 'combined': return this.combined(record);
      case 'finally': return this.finally(record);
      case 'group': return {};
      case 'resolver': return this.resolver(record);
      case 'promise':
        if (record.state === 'pending') this.waiting.push({ record, id });
        return this.promise(id).promise;
      case 'generator': return this.generator(record, id);
      default: return make[record.k](record, this);
    }
  }

  // The functions that make what is right in a scope, or in a class's body.
  members(record) {
    const { scopes } = this.state;
    const { scope } = record;
    if (record.in !== undefined && (scope < 0 || scopes[scope].in !== record.in)) {
      this.object(record.in);
      return this.hooks.get(record.in);
    }
    return this.scope(scope);
  }

  scope(id) {
    if (id === TOP) return this.top;
    const known = this.scopes.get(id);
    if (known) return known.members;
    const record = this.state.scopes[id];
    if (record.module !== undefined) {
      const members = this.linking.members(record.module);
      this.scopes.set(id, { members, isSet: false });
      return members;
    }
    if (record.library !== undefined) {
      const members = this.libraryMembers(id, record.library);
      this.scopes.set(id, { members, isSet: false });
      return members;
    }
    const outer = this.members({ scope: record.parent, in: this.firstClass(record) });
    const self = this.value(record.this ?? ['u']);
    if (this.scopes.has(id)) return this.scopes.get(id).members;
    const generator = Reflect.apply(outer[`s${id}`], self, []);
    const { value: members } = generator.next();
    this.scopes.set(id, { generator, members, isSet: false });
    if (record.arguments) this.put(record.arguments[0], members.$oneos_arguments);
    return members;
  }

  firstClass({ parent, in: inside }) {
    const outer = parent >= 0 ? this.state.scopes[parent].in : undefined;
    return inside !== outer ? inside : undefined;
  }

  closure(record, id) {
    const members = this.members(record);
    if (this.isMade[id]) return this.objects[id];
    if (!record.class) return members[`f${id}`]();
    const above = record.super === undefined ? undefined : this.value(record.super);
    const keys = {};
    for (const [index, key] of Object.entries(record.keys ?? {})) keys[index] = this.value(key);
    if (this.isMade[id]) return this.objects[id];
    const made = members[`f${id}`](above, keys);
    originals.set(made, record.text);
    this.put(id, made);
    for (const holder of [made, made.prototype]) {
      const properties = new Map();
      for (const key of Reflect.ownKeys(holder)) {
        properties.set(key, Reflect.getOwnPropertyDescriptor(holder, key));
      }
      this.fresh.set(holder, properties);
    }
    if (Array.isArray(record.prototype)) {
      const [prototype] = record.prototype;
      this.put(prototype, made.prototype);
      const { proto } = this.state.objects[prototype];
      if (proto !== undefined) Reflect.setPrototypeOf(made.prototype, this.value(proto));
    }
    return made;
  }

  member(record) {
    const maker = this.value(record.of);
    const holder = record.static ? maker : maker.prototype;
    return this.fresh.get(holder).get(this.value(record.key))[record.kind];
  }

  // Gives an object the private members of classes: each is run with nothing but its fields.
  stamp(record, object) {
    const { run } = this;
    let stamped = object;
    const tidy = (before) => {
      for (const key of Reflect.ownKeys(stamped)) {
        if (!before.has(key)) Reflect.deleteProperty(stamped, key);
      }
    };
    for (const [maker] of record.stamps) {
      const made = this.value(maker);
      const above = Reflect.getPrototypeOf(made);
      run.on = true;
      try {
        if (this.state.objects[maker[0]].super === undefined) {
          stamped = Reflect.construct(made, [], run.Maker);
          tidy(new Set());
          continue;
        }
        const before = new Set(Reflect.ownKeys(stamped));
        Reflect.setPrototypeOf(made, function() { return stamped; });
        Reflect.construct(made, [], run.Maker);
        tidy(before);
      } finally {
        run.on = false;
        Reflect.setPrototypeOf(made, above);
      }
    }
    if (stamped !== object) Reflect.setPrototypeOf(stamped, Reflect.getPrototypeOf(object));
    return stamped;
  }

  module({ main }) {
    const made = new Module('');
    for (const key of Object.keys(made)) Reflect.deleteProperty(made, key);
    if (main) process.mainModule = made;
    return made;
  }

  require(record) {
    const module = this.value(record.module);
    const { makeRequireFunction } = internalRequire('internal/modules/helpers');
    const path = this.state.objects[record.module[0]];
    const name = path.p?.indexOf('filename') ?? -1;
    if (name >= 0) module.filename = path.p[name + 1];
    return makeRequireFunction(module);
  }

  promise(id) {
    let deferred = this.deferred.get(id);
    if (!deferred) {
      deferred = {};
      deferred.promise = new Promise((resolveIt, reject) => {
        Object.assign(deferred, { resolve: resolveIt, reject });
      });
      this.deferred.set(id, deferred);
    }
    return deferred;
  }

  resolver(record) {
    if (record.done) {
      let spent;
      new Promise((yes, no) => { spent = record.reject ? no : yes; yes(); });
      return spent;
    }
    this.value(record.promise);
    const deferred = this.promise(record.promise[0]);
    return record.reject ? deferred.reject : deferred.resolve;
  }

  // One of the native functions by which Promise.all and its like wait.
  combined({ group: [group], index, which }) {
    this.object(group);
    return (this.groups.get(group) ?? this.group(group))[index][which];
  }

  group(id) {
    const record = this.state.objects[id];
    const indexes = this.state.objects
      .filter(({ k, group }) => k === 'combined' && group[0] === id).map(({ index }) => index);
    const count = Math.max(record.values.length, record.remaining, ...indexes.map((at) => at + 1));
    while (record.values.length < count) record.values.push([]);
    const made = handlersOf(record.kind, count, {
      resolve: this.value(record.resolve), reject: this.value(record.reject),
    });
    this.groups.set(id, made);
    this.groupsToFill.push([record, id, made]);
    return made;
  }

  finally({ action: [id], maker, which }) {
    let made = this.finals.get(id);
    if (!made || made.used.has(which)) {
      made = { used: new Set(), handlers: finallyHandlers(this.object(id), this.value(maker)) };
      this.finals.set(id, made);
    }
    made.used.add(which);
    return made.handlers[which];
  }

  // Gives a Promise.all what had come in; only values, so nothing is settled by it.
  fillGroup([{ kind, remaining, values }, id, made]) {
    const awaited = new Set(this.state.objects
      .filter((record) => record.k === 'combined' && record.group[0] === id)
      .map(({ index }) => index));
    // What nothing can settle any more is left as it is.
    let lost = remaining - awaited.size;
    values.forEach((item, index) => {
      if (awaited.has(index)) return;
      if (lost > 0 && Array.isArray(item) && (item.length === 0 || item[0] === 'u')) {
        lost -= 1;
        return;
      }
      const value = this.value(Array.isArray(item) && item.length === 0 ? ['u'] : item);
      const [yes, no] = made[index];
      if (kind === 'any') no(value);
      else if (kind === 'all') yes(value);
      else if (value.status === 'fulfilled') yes(value.value);
      else no(value.reason);
    });
  }

  // A suspended generator: begun anew, and brought to its place when all else is there.
  generator(record, id) {
    if (record.closed) {
      const spent = (function* () {})();
      spent.return();
      return spent;
    }
    const make = this.members(record)[`f${id}`]();
    const self = this.value(record.this);
    const locals = {};
    const iterators = [];
    const made = Reflect.apply(make, self, [locals, undefined, iterators]);
    frameOrigins.set(make, record.origin);
    this.generators.push({ made, record, locals, iterators });
    return made;
  }
}

module.exports = { Allocator };
