'use strict';
// Classes: their text, what they extend, the values of computed names, private static fields.
//
// A class is evaluated anew at the target, without its static initialisers, which have run. Its
// methods are those that come out of that, so each is recorded as "the member of class n".

const { scriptIdOf } = require('./moving/natives');
const { stepOf } = require('./moving/properties');

const hasPrivate = (node) => node.body.body.some(({ key }) => key?.type === 'PrivateIdentifier');

// {fieldNames, hasMethods}: the private instance members that a class declares.
function privateNames(node) {
  const fieldNames = new Set();
  let hasMethods = false;
  for (const member of node.body.body) {
    if (member.static || member.key?.type !== 'PrivateIdentifier') continue;
    if (member.type === 'PropertyDefinition') fieldNames.add(member.key.name);
    else hasMethods = true;
  }
  return { fieldNames, hasMethods };
}

// Calls `visit(fn, holder, key, kind)` for each function right on a class and on its prototype.
function eachMember(constructor, visit) {
  for (const holder of [constructor, constructor.prototype]) {
    if (holder === null || holder === undefined) continue;
    for (const key of Reflect.ownKeys(holder)) {
      const property = Reflect.getOwnPropertyDescriptor(holder, key);
      for (const kind of ['value', 'get', 'set']) {
        if (typeof property[kind] === 'function') visit(property[kind], holder, key, kind);
      }
    }
  }
}

function recordClass(capture, constructor, id, { script, entry, text }, chain, scopes) {
  const { graph, inspector } = capture;
  const { node } = entry;
  const record = { k: 'closure', class: 1, text, strict: entry.strict ? 1 : 0 };
  if (node.superClass) {
    const { prototype } = constructor;
    const parent = Reflect.getPrototypeOf(constructor);
    const isNull = parent === Function.prototype && prototype &&
      Reflect.getPrototypeOf(prototype) === null;
    record.super = isNull ? null : graph.value(parent, id, '(extends)');
  }
  record.scope = capture.scopes.enter(id, chain, scopes, node);
  require('./moving/functions').noteImports(capture, node, script, record, id);
  if (hasPrivate(node)) {
    const fields = inspector.privateFields(constructor);
    if (fields.length) {
      record.private = fields.map(([name, value]) => [name, graph.value(value, id, `.${name}`)]);
    }
  }
  const members = new Map();
  const scriptId = scriptIdOf(constructor);
  eachMember(constructor, (fn, holder, key, kind) => {
    if (scriptIdOf(fn) !== scriptId || fn === constructor) return;
    const { entry: found } = capture.placeOf(fn, id);
    const index = node.body.body.indexOf(found.outer);
    if (index < 0 || found.outer.static !== (holder === constructor)) return;
    members.set(index, key);
    capture.members.set(fn, {
      of: id, key: graph.value(key, id, stepOf(key)), kind, static: found.outer.static ? 1 : 0,
    });
  });
  node.body.body.forEach((member, index) => {
    if (!member.computed) return;
    if (member.type === 'MethodDefinition' && members.has(index)) {
      (record.keys ??= {})[index] = graph.value(members.get(index), id, '[computed name]');
    } else if (member.type !== 'PropertyDefinition' || !member.static) {
      graph.refuse('a class with a computed name that cannot be found again', id);
    }
  });
  capture.classes.push({ id, node, script, scope: record.scope, record });
  return record;
}

// The methods that were met, once every class is known.
function settleMembers(capture) {
  const { graph } = capture;
  const waiting = capture.methods.splice(0);
  for (const [id] of waiting) {
    const member = capture.members.get(graph.values[id]);
    if (!member) graph.refuse('a method of a class that nothing else leads to', id);
    Object.assign(graph.records[id], member, { of: [member.of] });
  }
}

// Closures that use private names are made inside of their class; the scopes between, too.
function settleInside(capture) {
  const { graph, scopes } = capture;
  for (const [id, script, node, record] of capture.inside.splice(0)) {
    const around = [record.scope];
    while (around.at(-1) >= 0) around.push(scopes.records[around.at(-1)].parent);
    const found = capture.classes.filter((one) => one.script === script && one.node === node &&
      around.includes(one.scope));
    if (found.length !== 1) {
      graph.refuse('a closure with private names of a class that is not found', id);
    }
    const [{ id: of, scope }] = found;
    record.in = of;
    for (const at of around) {
      if (at === scope) break;
      scopes.records[at].in = of;
    }
  }
}

module.exports = { hasPrivate, privateNames, recordClass, settleInside, settleMembers };
