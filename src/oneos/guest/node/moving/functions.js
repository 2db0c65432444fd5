'use strict';
// The functions of the program: closures by their text and scope, methods by their class.
//
// They are recorded in turns, all that are known at once, since finding out which share a scope is
// one look at memory for all of them.

const { isClass, isFunction, usesOwn, walk } = require('./moving/syntax');
const { types } = require('util');
const { scriptIdOf, positionOf } = require('./moving/natives');
const { idOfUrl } = require('./moving/library');
const { probes } = require('./moving/probes');
const { writeProperties } = require('./moving/properties');
const { recordClass } = require('./moving/classes');
const { recordNative } = require('./moving/nativefunctions');

const textOf = (fn) => Function.prototype.toString.call(fn);
const FIXED = new Set(['length', 'name', 'prototype', 'arguments', 'caller']);

const isPrivate = ({ type }) => type === 'PrivateIdentifier';
const isSuper = ({ type }) => type === 'Super';

// Where a function stands in its script: {script, entry}, the entry as of Script.at.
function placeOf(capture, fn, id) {
  const script = capture.scriptOf(scriptIdOf(fn));
  const text = capture.originals.get(fn) ?? textOf(fn);
  const entry = script.at(positionOf(fn), textOf(fn));
  if (!entry) capture.graph.refuse(`a function whose source is not found (${fn.name})`, id);
  return { script, entry, text };
}

// The prototype that a function of its kind has when it is made.
function kindPrototype(fn) {
  const { AsyncFunction, AsyncGeneratorFunction, GeneratorFunction } = probes();
  if (types.isGeneratorFunction(fn)) {
    return types.isAsyncFunction(fn) ? AsyncGeneratorFunction : GeneratorFunction;
  }
  return types.isAsyncFunction(fn) ? AsyncFunction : Function.prototype;
}

function writeFunctionProperties(capture, fn, id, record) {
  const { graph } = capture;
  record.name = Reflect.getOwnPropertyDescriptor(fn, 'name');
  record.name = typeof record.name?.value === 'string' ? record.name.value : undefined;
  record.length = Reflect.getOwnPropertyDescriptor(fn, 'length')?.value;
  if (record.name === undefined || typeof record.length !== 'number') {
    if (!record.class) graph.refuse('a function whose name or length was replaced', id);
  }
  writeProperties(graph, fn, id, record, (key) => FIXED.has(key) &&
    !(record.class && key === 'name' && record.name === undefined));
  const above = Reflect.getPrototypeOf(fn);
  if (record.super === undefined && above !== kindPrototype(fn)) {
    record.proto = graph.value(above, id, '.__proto__');
  }
  const property = Reflect.getOwnPropertyDescriptor(fn, 'prototype');
  if (property && 'value' in property) {
    record.prototype = graph.value(property.value, id, '.prototype');
    if (!property.writable && !record.class) record.fixedPrototype = 1;
  }
}

// Records the functions with these numbers, which are closures, classes or methods.
function recordAll(capture, ids) {
  const { graph, contexts } = capture;
  const fns = ids.map((id) => graph.values[id]);
  // What the inspector says takes it long, and is the same for all functions of one context.
  const leaders = contexts.leadersOf(fns);
  const shown = new Map();
  for (const leader of new Set(leaders)) shown.set(leader, capture.inspector.scopes(fns[leader]));
  const scopes = leaders.map((leader) => shown.get(leader));
  const names = new Set([...shown.values()].flat().flatMap((scope) => scope.names));
  const chains = contexts.chainsOf(fns, names);
  const places = fns.map((fn, i) => placeOf(capture, fn, ids[i]));
  // Classes first: they know their methods.
  for (const classes of [true, false]) {
    fns.forEach((fn, i) => {
      if (isClass(places[i].entry.node) !== classes) return;
      graph.records[ids[i]] = classes ?
        recordClass(capture, fn, ids[i], places[i], chains[i], scopes[i]) :
        recordClosure(capture, fn, ids[i], places[i], chains[i], scopes[i]);
      writeFunctionProperties(capture, fn, ids[i], graph.records[ids[i]]);
    });
  }
}

// The class whose body a node stands in, and whose private names or `super` it may use.
function enclosingClass(node) {
  for (let at = node.up; at; at = at.up) if (isClass(at)) return at;
  return undefined;
}

// What `import()` names is relative to the file that a function stands in; so the text of all that
// shares a scope with it has to be that file's at the target.
function noteImports({ graph, scopes }, node, { url }, record, id) {
  if (scopes.moduleOf(node) || !/\bimport\b/.test(record.text ?? record.frame)) return;
  if (!usesAnywhere(node, ({ type }) => type === 'ImportExpression')) return;
  if (!url.startsWith('file:')) graph.refuse('an import() in a text that is in no file', id);
  if (record.scope < 0) record.from = url;
  else scopes.noteFile(record.scope, url, id);
}

const SCOPES = new Set(['BlockStatement', 'StaticBlock', 'SwitchStatement', 'Program']);

// The node whose scope has the name of a function that is declared there.
function homeOf(node) {
  let at = node.up;
  while (!SCOPES.has(at.type)) at = at.up;
  return at.type === 'BlockStatement' && isFunction(at.up) ? at.up : at;
}

function recordClosure(capture, fn, id, { script, entry, text }, chain, scopes) {
  const { graph } = capture;
  const { node, outer, strict } = entry;
  if (outer.type === 'MethodDefinition') {
    capture.methods.push([id, node]);
    return { k: 'member' };
  }
  const record = { k: 'closure', text, strict: strict ? 1 : 0 };
  if (outer !== node) record.method = outer.kind === 'init' ? 'value' : outer.kind;
  if (node.type === 'FunctionDeclaration' && node.id) record.declared = 1;
  record.scope = capture.scopes.enter(id, chain, scopes, node.up);
  // Its name is a variable of that scope, and not of one further in that nothing else needed.
  if (record.declared && capture.scopes.isMadeBy(record.scope, homeOf(node))) record.home = 1;
  noteImports(capture, node, script, record, id);
  capture.scopes.noteThis(id, chain, node);
  if (outer.type === 'Property' && usesOwn(node, isSuper)) {
    graph.refuse('a method of an object that uses super', id);
  }
  if (node.type === 'ArrowFunctionExpression') {
    if (usesOwn(node, ({ type, meta }) => type === 'MetaProperty' && meta.name === 'new')) {
      graph.refuse('an arrow function that uses new.target', id);
    }
    if (usesOwn(node, isSuper)) graph.refuse('an arrow function that uses super', id);
  }
  const around = enclosingClass(node);
  if (around && usesPrivate(node)) capture.inside.push([id, script, around, record]);
  return record;
}

function usesAnywhere(node, test) {
  let found = false;
  walk(node, (at) => { if (test(at)) found = true; return !found; });
  return found;
}

// Whether there is a private name anywhere below; one of a class below does no harm.
const usesPrivate = (node) => usesAnywhere(node, isPrivate);

// What to do with a function: 'native' for one of C++, 'internal' for one of Node's JavaScript.
function kindOf(capture, fn) {
  const script = scriptIdOf(fn);
  if (script < 0) return 'native';
  return idOfUrl(capture.inspector.urls.get(script) ?? 'node:') === undefined ? 'own' : 'internal';
}

module.exports = {
  enclosingClass, kindOf, noteImports, placeOf, recordAll, recordNative, textOf, usesPrivate,
};
