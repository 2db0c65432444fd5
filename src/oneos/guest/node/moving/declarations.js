'use strict';
// Which part of a source made a scope, and of which kind each of its variables is.
//
// The inspector gives the names and values of a scope, but not that one of them is a constant. The
// source does, and it tells whether all that stands in the scope was declared there.

const { bound, children, isClass, isFunction } = require('./moving/syntax');

const LOOPS = new Set(['ForStatement', 'ForInStatement', 'ForOfStatement']);
const WRAPPER = ['exports', 'require', 'module', '__filename', '__dirname'];
const FIELDS = new Set(['PropertyDefinition', 'StaticBlock']);

const makesFunctionScope = (node) => isFunction(node) || node.type === 'Program' ||
  FIELDS.has(node.type);

function hoisted(node, found) {
  for (const child of children(node)) {
    if (isFunction(child) || isClass(child) || FIELDS.has(child.type)) continue;
    if (child.type === 'VariableDeclaration' && child.kind === 'var') {
      for (const item of child.declarations) {
        for (const name of bound(item.id)) if (!found.has(name)) found.set(name, 'var');
      }
    }
    hoisted(child, found);
  }
}

function lexical(statements, found) {
  for (const statement of statements) {
    const declared = statement.declaration ?? statement;
    if (declared.type === 'VariableDeclaration' && declared.kind !== 'var') {
      for (const item of declared.declarations) {
        for (const name of bound(item.id)) found.set(name, declared.kind);
      }
    } else if (declared.type === 'ClassDeclaration' && declared.id) {
      found.set(declared.id.name, 'let');
    } else if (declared.type === 'FunctionDeclaration' && declared.id) {
      found.set(declared.id.name, 'var');
    } else if (statement.type === 'ImportDeclaration') {
      for (const item of statement.specifiers) found.set(item.local.name, 'import');
    }
  }
}

// A sloppy function in a block is a variable of the whole function too.
function functionsInBlocks(node, found) {
  for (const child of children(node)) {
    if (child.type === 'FunctionDeclaration' && child.id && !found.has(child.id.name)) {
      found.set(child.id.name, 'var');
    }
    if (!isFunction(child) && !isClass(child)) functionsInBlocks(child, found);
  }
}

// name -> var, let or const, for what a node declares in a scope of its own.
function declaredBy(node) {
  if (node.declared) return node.declared;
  const found = new Map();
  if (isFunction(node)) {
    if (node.type === 'FunctionExpression' && node.id) found.set(node.id.name, 'const');
    for (const name of node.params.flatMap((parameter) => bound(parameter))) found.set(name, 'var');
    if (node.type !== 'ArrowFunctionExpression' && !found.has('arguments')) {
      found.set('arguments', 'var');
    }
    if (node.body.type === 'BlockStatement') {
      hoisted(node.body, found);
      functionsInBlocks(node.body, found);
      lexical(node.body.body, found);
    }
  } else if (node.type === 'Program') {
    for (const name of WRAPPER) found.set(name, 'var');
    found.set('arguments', 'var');
    hoisted(node, found);
    functionsInBlocks(node, found);
    lexical(node.body, found);
  } else if (node.type === 'BlockStatement' || node.type === 'StaticBlock') {
    if (node.type === 'StaticBlock') hoisted(node, found);
    lexical(node.body, found);
  } else if (node.type === 'SwitchStatement') {
    lexical(node.cases.flatMap(({ consequent }) => consequent), found);
  } else if (LOOPS.has(node.type)) {
    const head = node.init ?? node.left;
    if (head) lexical([head], found);
  } else if (node.type === 'CatchClause') {
    for (const name of bound(node.param)) found.set(name, 'let');
  } else if (isClass(node)) {
    if (node.id) found.set(node.id.name, 'const');
  }
  Object.defineProperty(node, 'declared', { value: found });
  return found;
}

// The node, at `node` or above it, that made a scope of this kind with these names.
function makerOf(node, kind, names) {
  for (let at = node; at; at = at.up) {
    if (kind === 'Closure' && !makesFunctionScope(at)) continue;
    if (kind === 'Block' && (isFunction(at) || at.type === 'Program')) {
      // The body of a function is a scope of its own where parameters have code.
      if (!isFunction(at) || names.length === 0) continue;
    }
    const declared = declaredBy(at);
    if (names.every((name) => declared.has(name))) {
      if (names.length > 0 || makesFunctionScope(at) || isClass(at)) return at;
    }
  }
  return undefined;
}

module.exports = { declaredBy, makerOf };
