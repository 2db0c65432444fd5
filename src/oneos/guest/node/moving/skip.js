'use strict';
// The source of a suspended function, changed so that it comes to the place without doing anything.
//
// While skipping, statements before the place are left out, declarations take the values that were
// saved, and loops and branches are entered on the way that leads to the place. There skipping
// ends: the place itself awaits the saved promise, or yields.

const { declaredBy } = require('./moving/declarations');
const { bound, isFunction, walk } = require('./moving/syntax');

class SkipError extends Error {}

const P = '$oneos_';
const SKIP = `${P}skip`;
const LOCALS = `${P}locals`;
const PROMISE = `${P}promise`;
const ITERATORS = `${P}iterators`;
const VALUE = `${P}value`;
const BODY = `${P}body`;
const bad = (what) => { throw new SkipError(what); };

// The nodes from the function's own to `target`, both included.
function pathTo(node, target) {
  const path = [];
  for (let at = target; at !== node; at = at.up) path.unshift(at);
  path.unshift(node);
  return path;
}

// The await or yield that stands at a position of a function.
function findSuspension(node, position) {
  let found;
  walk(node, (below) => {
    if (below !== node && isFunction(below)) return false;
    const isOne = below.type === 'AwaitExpression' || below.type === 'YieldExpression';
    if (isOne && below.start === position) found ??= below;
    if (below.type === 'ForOfStatement' && below.await && below.start === position) {
      bad('for await');
    }
    return undefined;
  });
  return found;
}

function enclosingLoops(node, suspension) {
  return pathTo(node, suspension).filter((at, i, path) => at.type === 'ForOfStatement' &&
    path[i + 1] === at.body).length;
}

// The nodes of a path that declare a name in a scope of their own, the outermost first.
function declaring(path, name) {
  return path.filter((at, i) => declaredBy(at).has(name) &&
    (i === 0 || !(at.type === 'BlockStatement' && at === path[0].body)));
}

// By which the value of a variable is kept: `depth` others of its name are around it.
const keyOf = (name, depth) => (depth === 0 ? name : `${name}#${depth}`);

class Skipper {
  constructor(script, node, suspension, { captured, isAsync }) {
    this.script = script;
    this.node = node;
    this.place = suspension;
    this.captured = captured;
    this.isAsync = isAsync;
    this.names = [];
    this.path = suspension ? pathTo(node, suspension) : [];
    this.onPath = new Set(this.path);
    this.loops = 0;
    this.home = node;  // What declares the names that are being written.
  }

  text(node) { return this.script.source.slice(node.start, node.end); }

  // A statement as it is, but for what `return` does in an async function: its promise was made
  // before, so the value is kept for it.
  plain(node) {
    if (!this.isAsync) return this.text(node);
    const edits = [];
    walk(node, (below) => {
      if (isFunction(below) || below.type === 'ClassBody') return false;
      if (below.type === 'ReturnStatement') {
        const value = below.argument && this.text(below.argument);
        edits.push([below.start, below.end, this.leave(value)]);
        return false;
      }
      return undefined;
    });
    let text = this.text(node);
    for (const [start, end, put] of edits.reverse()) {
      text = text.slice(0, start - node.start) + put + text.slice(end - node.start);
    }
    return text;
  }

  leave(value) { return `{ ${VALUE} = (${value ?? 'undefined'}); break ${BODY}; }`; }

  saved(name) {
    const at = declaring(this.path, name).indexOf(this.home);
    const key = keyOf(name, Math.max(0, at));
    if (!this.names.includes(key)) this.names.push(key);
    return `${LOCALS}[${JSON.stringify(key)}]`;
  }

  // The text that `make` gives, in which names are those that `home` declares.
  within(home, make) {
    const outer = this.home;
    this.home = home;
    try { return make(); } finally { this.home = outer; }
  }

  next(node) { return this.path[this.path.indexOf(node) + 1]; }

  // --- expressions --------------------------------------------------------------------------
  expression(node) {
    if (node === this.place) {
      if (node.delegate) bad('yield*');
      const resumed = node.type === 'YieldExpression' ? '(yield)' : `(await ${PROMISE})`;
      return `(${SKIP} ? (${SKIP} = false, ${resumed}) : ${this.text(node)})`;
    }
    const child = this.next(node);
    const inner = () => this.expression(child);
    const { operator } = node;
    switch (node.type) {
      case 'LogicalExpression':
        if (child === node.right) {
          // What the left side was is not needed again: it let the right side be evaluated.
          return `(${SKIP} ? ${inner()} : (${this.text(node.left)}) ${operator} ${inner()})`;
        }
        break;
      case 'ConditionalExpression': {
        const [test, yes, no] =
          [node.test, node.consequent, node.alternate].map((part) => this.text(part));
        if (child === node.consequent) return `(${SKIP} || (${test}) ? ${inner()} : (${no}))`;
        if (child === node.alternate) return `(!${SKIP} && (${test}) ? (${yes}) : ${inner()})`;
        break;
      }
      case 'SequenceExpression': {
        const parts = node.expressions.map((part) => this.text(part));
        const at = node.expressions.indexOf(child);
        const before = parts.slice(0, at).map((part) => `${SKIP} || (${part})`);
        return `(${[...before, inner(), ...parts.slice(at + 1)].join(', ')})`;
      }
      case 'AssignmentExpression':
        if (operator !== '=') bad('a compound assignment');
        if (child !== node.right) bad('an assignment to a computed place');
        break;
      case 'CallExpression': case 'NewExpression': case 'BinaryExpression': case 'AwaitExpression':
      case 'YieldExpression': case 'UnaryExpression': case 'SpreadElement': case 'ArrayExpression':
      case 'TemplateLiteral': case 'ObjectExpression': case 'Property': case 'MemberExpression':
        break;
      default: bad(`a place in ${node.type}`);
    }
    const { source } = this.script;
    return source.slice(node.start, child.start) + inner() + source.slice(child.end, node.end);
  }

  // --- declarations -------------------------------------------------------------------------
  isCaptured(names, top) {
    return top && names.length > 0 && names.every((name) => this.captured.has(name));
  }

  // The saved values of several names, as the text of a list.
  savedList(names) { return `[${names.map((name) => this.saved(name)).join(', ')}]`; }

  // `let` for what was declared before the place: its saved value, or its own if it comes again.
  declaration({ kind, declarations }, top) {
    return declarations.map(({ id, init }) => {
      const names = bound(id);
      const [to, from] = [this.text(id), init ? this.text(init) : 'undefined'];
      if (kind === 'var' || this.isCaptured(names, top)) {
        return init ? `if (!${SKIP}) { (${to} = ${from}); }` : '';
      }
      if (top && names.some((name) => this.captured.has(name))) {
        bad('a pattern half of which is shared');
      }
      const word = kind === 'const' ? 'const' : 'let';
      if (id.type === 'Identifier') {
        return `${word} ${to} = ${SKIP} ? ${this.saved(to)} : (${from});`;
      }
      const all = `[${names.join(', ')}]`;
      return `${word} ${all} = ${SKIP} ? ${this.savedList(names)} : ((${to}) => ${all})(${from});`;
    }).join(' ');
  }

  // --- statements ---------------------------------------------------------------------------
  statements(list, top) {
    const hoisted = [];
    let out = '';
    let isPast = false;
    for (const statement of list) {
      if (statement.directive) continue;
      if (statement.type === 'FunctionDeclaration') {
        const { name } = statement.id;
        if (!(top && this.captured.has(name))) {
          hoisted.push(`let ${name} = ${SKIP} ? ${this.saved(name)} : (() => { ${
            this.text(statement)}\nreturn ${name}; })();`);
        }
      } else if (this.onPath.has(statement)) {
        out += this.statement(statement, top);
        isPast = true;
      } else if (isPast) {
        if (top && statement.type === 'VariableDeclaration') {
          out += this.later(statement);
        } else if (top && statement.type === 'ClassDeclaration' &&
                   this.captured.has(statement.id.name)) {
          bad('a class that a closure shares');
        } else {
          out += `${this.plain(statement)}\n`;
        }
      } else if (statement.type === 'VariableDeclaration') {
        out += `${this.declaration(statement, top)}\n`;
      } else if (statement.type === 'ClassDeclaration') {
        const { name } = statement.id;
        if (!(top && this.captured.has(name))) {
          out += `let ${name} = ${SKIP} ? ${this.saved(name)} : (${this.text(statement)});\n`;
        }
      } else {
        out += `if (!${SKIP}) { ${this.plain(statement)} }\n`;
      }
    }
    return hoisted.join('') + out;
  }

  // A declaration after the place: variables of a shared scope are there already.
  later(statement) {
    const names = statement.declarations.flatMap(({ id }) => bound(id));
    if (!names.some((name) => this.captured.has(name))) return `${this.plain(statement)}\n`;
    if (statement.kind !== 'var') bad('a variable not reached yet that a closure shares');
    return `${statement.declarations.filter(({ init }) => init)
      .map(({ id, init }) => `(${this.text(id)} = ${this.text(init)});`).join(' ')}\n`;
  }

  // One of several that a declaration has, after the place.
  alone(kind, { id, init }) {
    const names = bound(id);
    const value = init ? this.text(init) : 'undefined';
    if (!names.some((name) => this.captured.has(name))) {
      return `${kind} ${this.text(id)}${init ? ` = ${value}` : ''};`;
    }
    if (kind !== 'var') bad('a variable not reached yet that a closure shares');
    return init ? `(${this.text(id)} = ${value});` : '';
  }

  block(node, top) {
    if (node.type === 'BlockStatement') {
      return `{ ${this.within(node, () => this.statements(node.body, top))} }`;
    }
    return this.onPath.has(node) ? `{ ${this.statement(node)} }` :
      `{ if (!${SKIP}) { ${this.plain(node)} } }`;
  }

  statement(node, top) {
    const child = this.next(node);
    switch (node.type) {
      case 'ExpressionStatement': return `${this.expression(node.expression)};\n`;
      case 'ReturnStatement': {
        const value = this.expression(node.argument);
        return this.isAsync ? this.leave(value) : `return ${value};\n`;
      }
      case 'ThrowStatement': return `throw ${this.expression(node.argument)};\n`;
      case 'VariableDeclaration': return this.declarationOnPath(node, child, top);
      case 'BlockStatement': return this.block(node);
      case 'LabeledStatement': return `${node.label.name}: ${this.statement(node.body)}`;
      case 'IfStatement': return this.branch(node, child);
      case 'WhileStatement':
        return child === node.test ? `while (${this.expression(node.test)}) ${this.plain(node.body)}` :
          `while (${SKIP} || (${this.text(node.test)})) ${this.block(node.body)}`;
      case 'DoWhileStatement':
        return child === node.test ?
          `do { if (!${SKIP}) { ${this.plain(node.body)} } } while (${this.expression(node.test)});` :
          `do ${this.block(node.body)} while (${this.text(node.test)});`;
      case 'ForStatement': return this.within(node, () => this.forLoop(node, child));
      case 'ForOfStatement': return this.within(node, () => this.forOf(node, child));
      case 'ForInStatement': return bad('a for-in loop');
      case 'SwitchStatement': return this.within(node, () => this.choice(node, child));
      case 'TryStatement': return this.attempt(node, child);
      default: return bad(`a place in ${node.type}`);
    }
  }

  declarationOnPath(node, child, top) {
    return `${node.declarations.map((item) => {
      if (item !== child) {
        const isLater = item.start > child.start;
        return isLater ? this.alone(node.kind, item) :
          this.declaration({ kind: node.kind, declarations: [item] }, top);
      }
      const names = bound(item.id);
      const value = this.expression(item.init);
      if (node.kind === 'var' || this.isCaptured(names, top)) {
        return `(${this.text(item.id)} = ${value});`;
      }
      return `${node.kind} ${this.text(item.id)} = ${value};`;
    }).join(' ')}\n`;
  }

  branch({ test, consequent, alternate }, child) {
    const other = alternate ? ` else ${this.plain(alternate)}` : '';
    if (child === test) return `if (${this.expression(test)}) ${this.plain(consequent)}${other}\n`;
    if (child === consequent) {
      return `if (${SKIP} || (${this.text(test)})) ${this.block(consequent)}${other}\n`;
    }
    return `if (!${SKIP} && (${this.text(test)})) { ${this.plain(consequent)} } else ${
      this.block(alternate)}\n`;
  }

  forLoop({ init, test, update, body }, child) {
    if (child === init || child === update) bad('a place in the head of a loop');
    let head = '';
    if (init?.type === 'VariableDeclaration') {
      const parts = init.declarations.map(({ id, init: from }) => {
        const value = from ? `(${this.text(from)})` : 'undefined';
        if (init.kind === 'var') return from ? `${SKIP} || (${this.text(id)} = ${value})` : '0';
        if (id.type !== 'Identifier') bad('a pattern in the head of a loop');
        return `${id.name} = ${SKIP} ? ${this.saved(id.name)} : ${value}`;
      });
      head = (init.kind === 'var' ? '' : `${init.kind} `) + parts.join(', ');
    } else if (init) {
      head = `${SKIP} || (${this.text(init)})`;
    }
    const condition = child === test ? this.expression(test) :
      test ? `${SKIP} || (${this.text(test)})` : '';
    return `for (${head}; ${condition}; ${update ? this.text(update) : ''}) ${
      child === body ? this.block(body) : this.plain(body)}\n`;
  }

  forOf({ left, right, body, await: isAwait }, child) {
    if (isAwait) bad('for await');
    if (child === right) {
      return `for (${this.text(left)} of ${this.expression(right)}) ${this.plain(body)}\n`;
    }
    if (child !== body) bad('a place in the head of a loop');
    const item = `${P}item${this.loops}`;
    const iterator = `${ITERATORS}[${this.loops++}]`;
    const isDeclared = left.type === 'VariableDeclaration';
    const id = isDeclared ? left.declarations[0].id : left;
    const names = bound(id);
    const set = isDeclared && left.kind !== 'var' ?
      `${left.kind} [${names.join(', ')}] = ${SKIP} ? ${this.savedList(names)} : ((${
        this.text(id)}) => [${names.join(', ')}])(${item});` :
      `if (!${SKIP}) { (${this.text(id)} = ${item}); }`;
    return `for (const ${item} of ${SKIP} ? ${iterator} : (${this.text(right)})) { ${set} ${
      this.block(body)} }\n`;
  }

  choice({ discriminant, cases, start, end }, child) {
    if (child === discriminant) {
      const { source } = this.script;
      return `${source.slice(start, discriminant.start)}${this.expression(discriminant)}${
        source.slice(discriminant.end, end)}\n`;
    }
    const [here, nowhere] = [`${P}here`, `${P}nowhere`];
    const texts = cases.map((one) => {
      const body = one === child ? this.statements(one.consequent) :
        one.consequent.map((statement) => this.plain(statement)).join('\n');
      if (!one.test) {
        // While skipping no case is `here`, so this is where it goes.
        return `default: ${body}`;
      }
      if (this.onPath.has(one.test)) bad('a place in a case');
      return `case ${SKIP} ? ${one === child ? here : nowhere} : (${this.text(one.test)}): ${body}`;
    });
    return `switch (${SKIP} ? ${here} : (${this.text(discriminant)})) { ${texts.join('\n')} }\n`;
  }

  attempt({ block, handler, finalizer }, child) {
    const last = finalizer ? ` finally ${this.plain(finalizer)}` : '';
    if (child === block) {
      const caught = handler ? ` catch ${handler.param ? `(${this.text(handler.param)}) ` : ''}${
        this.plain(handler.body)}` : '';
      return `try ${this.block(block)}${caught}${last}\n`;
    }
    if (child !== handler) bad('a place in a finally block');
    const { param, body } = handler;
    if (param && param.type !== 'Identifier') bad('a pattern in a catch clause');
    const name = param?.name ?? `${P}caught`;
    const set = param ? this.within(handler, () =>
      `if (${SKIP}) ${name} = ${this.saved(name)};`) : '';
    return `try { if (${SKIP}) throw undefined; ${this.plain(block).slice(1, -1)} } catch (${name}) { ${
      set} ${this.block(body)} }${last}\n`;
  }

  // --- the whole ----------------------------------------------------------------------------
  variables() {
    const names = new Set(this.node.params.flatMap((parameter) => bound(parameter)));
    walk(this.node.body, (below) => {
      if (isFunction(below) || below.type === 'ClassBody') return false;
      if (below.type === 'VariableDeclaration' && below.kind === 'var') {
        for (const { id } of below.declarations) for (const name of bound(id)) names.add(name);
      }
      return undefined;
    });
    const own = [...names].filter((name) => !this.captured.has(name));
    return own.map((name) => `var ${name} = ${this.saved(name)};`).join(' ');
  }

  whole() {
    const { node, place } = this;
    if (node.async && node.generator) bad('an async generator');
    walk(node, (below) => {
      const isArrow = below.type === 'ArrowFunctionExpression';
      if (below !== node && isFunction(below) && !isArrow) return false;
      if (below.type === 'Identifier' && below.name === 'arguments') bad('its arguments object');
      if (below.type === 'MetaProperty' && below.meta.name === 'new') bad('new.target');
      return undefined;
    });
    const kind = node.generator ? 'function*' : 'async function';
    const head = `${kind} ${P}resumed(${LOCALS}, ${PROMISE}, ${ITERATORS}, ${P}ok, ${P}no) {`;
    if (!place) {
      if (!node.generator) bad('a place that is not found');
      return `${head} ${this.variables()} ${this.text(node.body).slice(1, -1)} }`;
    }
    const setUp = `let ${SKIP} = true; const ${P}here = {}, ${P}nowhere = {}; `;
    const body = node.body.type === 'BlockStatement' ? this.statements(node.body.body, true) :
      this.leave(this.expression(node.body));
    const variables = this.variables();
    if (!this.isAsync) return `${head} ${setUp}${variables} ${body} }`;
    return `${head} ${setUp}let ${VALUE}; ${variables} try { ${BODY}: { ${body}
${VALUE} = undefined; } } catch (${P}error) { ${P}no(${P}error); return; } ${P}ok(${VALUE}); }`;
  }
}

// {text, names}: the source of a function that goes on at `suspension`, and the names of the locals
// that it wants. Throws SkipError for a place that skip mode does not reach.
function skipText(script, node, suspension, options) {
  const skipper = new Skipper(script, node, suspension, options);
  const text = skipper.whole();
  return { text, names: skipper.names };
}

module.exports = {
  SkipError, declaring, enclosingLoops, findSuspension, keyOf, pathTo, skipText,
};
