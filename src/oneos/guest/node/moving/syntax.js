'use strict';
// The source of a script as a tree, with acorn as Node carries it, and its functions by place.

const { internalRequire } = require('./internals');

const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);
const CLASSES = new Set(['ClassDeclaration', 'ClassExpression']);
const OPTIONS = {
  ecmaVersion: 'latest', allowReturnOutsideFunction: true, allowAwaitOutsideFunction: true,
  allowSuperOutsideMethod: true, allowHashBang: true, checkPrivateFields: false,
};

let acorn;

// `isModule`: of an ES module; else what is a script or a module is found out.
function parse(source, isModule = false) {
  acorn ??= internalRequire('internal/deps/acorn/acorn/dist/acorn');
  if (isModule) return acorn.parse(source, { ...OPTIONS, sourceType: 'module' });
  try {
    return acorn.parse(source, { ...OPTIONS, sourceType: 'script' });
  } catch {
    return acorn.parse(source, { ...OPTIONS, sourceType: 'module' });
  }
}

const isNode = (value) => value !== null && typeof value === 'object' &&
  typeof value.type === 'string';

// The nodes right below one, in the order of the source.
function children(node) {
  const found = [];
  for (const key of Object.keys(node)) {
    if (key === 'up' || key === 'script') continue;
    const value = node[key];
    if (Array.isArray(value)) for (const item of value) { if (isNode(item)) found.push(item); }
    if (isNode(value)) found.push(value);
  }
  return found;
}

// `visit(node)` for all below and including `node`; false from it leaves out what is below.
function walk(node, visit) {
  if (visit(node) === false) return;
  for (const child of children(node)) walk(child, visit);
}

const isFunction = (node) => FUNCTIONS.has(node.type);
const isClass = (node) => CLASSES.has(node.type);

// Whether something matches below `node` outside of functions that have a `this` of their own.
function usesOwn(node, test) {
  let found = false;
  walk(node, (below) => {
    if (found) return false;
    if (below !== node && isFunction(below) && below.type !== 'ArrowFunctionExpression') {
      return false;
    }
    if (test(below)) found = true;
    return undefined;
  });
  return found;
}

// The names that a pattern binds.
function bound(pattern, found = []) {
  switch (pattern?.type) {
    case 'Identifier': found.push(pattern.name); break;
    case 'ObjectPattern':
      for (const item of pattern.properties) bound(item.argument ?? item.value, found);
      break;
    case 'ArrayPattern': for (const item of pattern.elements) bound(item, found); break;
    case 'AssignmentPattern': bound(pattern.left, found); break;
    case 'RestElement': bound(pattern.argument, found); break;
    default:
  }
  return found;
}

// Whether the code right in a node is strict.
function isStrict(node) {
  for (let at = node; at; at = at.up) if (at.strict !== undefined) return at.strict;
  return false;
}

class Script {
  constructor(source, isModule = false) {
    this.source = source;
    this.isModule = isModule;
    this.tree = parse(source, isModule);
    this.tree.script = this;
    this.functions = [];  // {node, outer, strict}, by where `outer`, the text of it, begins
    const directive = (body) => body.some(({ directive: text }) => text === 'use strict');
    this.strict = this.tree.sourceType === 'module' || directive(this.tree.body);
    const visit = (node, strict) => {
      let inside = strict;
      if (node.type === 'Program') node.strict = strict;
      if (isFunction(node)) {
        if (node.body.type === 'BlockStatement' && directive(node.body.body)) inside = true;
        node.strict = inside;
        const { up } = node;
        const method = up.type === 'MethodDefinition' || (up.type === 'Property' &&
          (up.method || up.kind !== 'init') && up.value === node);
        this.functions.push({ node, outer: method ? up : node, strict: inside });
      } else if (isClass(node)) {
        inside = true;
        node.strict = true;
        this.functions.push({ node, outer: node, strict: inside });
      }
      for (const child of children(node)) { child.up = node; visit(child, inside); }
    };
    visit(this.tree, this.strict);
    this.functions.sort((a, b) => a.outer.start - b.outer.start);
  }

  text(node) { return this.source.slice(node.start, node.end); }

  // The function whose own text is `text` around `position`, the innermost if there are several.
  at(position, text) {
    const { functions } = this;
    let low = 0;
    let high = functions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (functions[middle].outer.start <= position) low = middle + 1; else high = middle;
    }
    for (let at = low - 1; at >= 0; at--) {
      const { outer, node } = functions[at];
      if (outer.end < position || outer.end - outer.start < text.length) continue;
      const own = this.text(outer);
      if (own === text) return functions[at];
      if (outer.static && own.replace(/^static\s+/, '') === text) return functions[at];
      if (outer !== node && this.text(node) === text) return functions[at];
    }
    return undefined;
  }
}

module.exports = { Script, bound, children, isClass, isFunction, isStrict, parse, usesOwn, walk };
