'use strict';
// What an expression had evaluated before it was suspended, and is evaluated again by skip mode.
//
// `list.push(await next())` has its `list` and `list.push` from before. They are read again here,
// as far as reading runs nothing, and have to be what the suspended function still holds.

const { types } = require('util');
const { SkipError, pathTo } = require('./moving/skip');

const CONSTANT = new Set(['Literal', 'FunctionExpression', 'ArrowFunctionExpression',
                          'ThisExpression', 'Super', 'MetaProperty', 'ClassExpression']);

const BUILDERS = new Set(['TemplateLiteral', 'ArrayExpression', 'ObjectExpression']);

// A property by data alone: an accessor or a proxy could answer anything.
function readPlainly(object, key) {
  let at = Object(object);
  while (at !== null) {
    if (types.isProxy(at)) throw new SkipError('a proxy in its expression');
    const property = Reflect.getOwnPropertyDescriptor(at, key);
    if (property) {
      if ('value' in property) return property.value;
      throw new SkipError('an accessor in its expression');
    }
    at = Reflect.getPrototypeOf(at);
  }
  return undefined;
}

class Reader {
  constructor(capture, values, self, generator) {
    this.capture = capture;
    this.values = values;
    this.self = self;
    this.generator = generator;
    this.found = [];
  }

  variable(name) {
    if (name in this.values) return this.values[name];
    this.outer ??= this.capture.inspector.scopes(this.generator);
    for (const { values } of this.outer) if (name in values) return values[name];
    const property = Reflect.getOwnPropertyDescriptor(globalThis, name);
    if (property && 'value' in property) return property.value;
    if (property) return globalThis[name];
    throw new SkipError(`a variable that is not found (${name})`);
  }

  // The value of an expression, of which all parts are noted that were evaluated by themselves.
  read(node, script) {
    switch (node.type) {
      case 'Literal': return node.value;
      case 'ThisExpression': return this.self;
      case 'Identifier': {
        if (node.name === 'undefined') return undefined;
        const value = this.variable(node.name);
        return value;
      }
      case 'MemberExpression': {
        const object = this.read(node.object, script);
        if (node.property.type === 'PrivateIdentifier') {
          throw new SkipError('a private member in its expression');
        }
        const key = node.computed ? this.read(node.property, script) : node.property.name;
        return readPlainly(object, key);
      }
      default: throw new SkipError(
        `evaluated parts of an expression (${script.text(node).slice(0, 60)})`);
    }
  }

  note(node, script) {
    if (!node || CONSTANT.has(node.type)) return;
    if (node.type === 'ChainExpression') throw new SkipError('an optional chain in its expression');
    this.found.push(this.read(node, script));
    // The object that a method is called on is kept too.
  }
}

// The parts of `node` that are evaluated before `child`, in their order.
function before(node, child) {
  switch (node.type) {
    case 'CallExpression': case 'NewExpression': {
      if (child === node.callee) return [];
      const list = [];
      if (node.callee.type === 'MemberExpression' && node.type === 'CallExpression') {
        list.push(node.callee.object, node.callee);
      } else {
        list.push(node.callee);
      }
      return [...list, ...node.arguments.slice(0, node.arguments.indexOf(child))];
    }
    case 'BinaryExpression': return child === node.right ? [node.left] : [];
    case 'AssignmentExpression':
      if (child !== node.right) return [];
      if (node.left.type === 'MemberExpression') {
        return [node.left.object, ...(node.left.computed ? [node.left.property] : []),
                ...(node.operator === '=' ? [] : [node.left])];
      }
      return node.operator === '=' ? [] : [node.left];
    case 'ArrayExpression': return node.elements.slice(0, node.elements.indexOf(child));
    case 'TemplateLiteral': return node.expressions.slice(0, node.expressions.indexOf(child));
    case 'ObjectExpression': return node.properties.slice(0, node.properties.indexOf(child))
      .map((property) => property.value ?? property.argument);
    case 'MemberExpression': return child === node.property ? [node.object] : [];
    default: return [];
  }
}

function settledOperands(capture, suspension, node, script, values, self, generator) {
  const reader = new Reader(capture, values, self, generator);
  const path = pathTo(node, suspension);
  for (let i = 0; i + 1 < path.length; i++) {
    const list = before(path[i], path[i + 1]);
    if (list.length && BUILDERS.has(path[i].type)) {
      // These have been put into what is being made, and are in no register any more.
      if (list.some((item) => item && item.type !== 'Literal')) {
        throw new SkipError('evaluated parts of an expression');
      }
      continue;
    }
    for (const item of list) reader.note(item, script);
  }
  return reader.found;
}

module.exports = { settledOperands };
