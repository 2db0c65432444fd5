'use strict';
// The scopes that closures see: one record for each context of V8, shared as the context is.
//
// {parent, vars: [[name, kind, value]], this?: value}; the kind is var, let or const. A variable
// that was not reached yet has no value, and the kind 'dead'. {module} that of an ES module; {from}
// the URL of the file in whose name it has to be made.

const { isClass, isStrict, usesOwn } = require('./moving/syntax');
const { types } = require('util');
const { makerOf } = require('./moving/declarations');

const RUN = '$oneos';  // As in generate.js.
const NO_SCOPE = -1;
const NOTHING = { kind: 'Closure', names: [], values: {} };
const MANY = 70;  // Names of a scope that V8 keeps apart, less those that are not shown.
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;

class Scopes {
  constructor(capture) {
    this.capture = capture;
    this.records = [];
    this.libraries = new Map();
    this.makers = [];  // Of each scope, the node of the source.
    this.wantThis = new Map();  // Context -> number of the object that needs it.
  }

  // The number of the scope in which a closure was made. `chain`: its contexts, innermost first;
  // `scopes`: what the inspector says of each; `node`: where it stands in the source.
  enter(id, chain, scopes, node) {
    const { capture } = this;
    if (scopes.some(({ kind }) => kind === 'With')) {
      capture.graph.refuse('a closure in a with statement', id);
    }
    const module = this.moduleOf(node);
    const library = this.libraryOf(node);
    const aligned = this.align(chain, scopes, id, Boolean(module || library));
    let at = node;
    const makers = aligned.map(({ kind, names }, i) => {
      if ((module || library) && i === chain.length - 1) return undefined;
      const visible = names.filter((name) => IDENTIFIER.test(name));
      const maker = makerOf(at, kind, visible);
      if (maker) at = maker.up ?? maker;
      else if (visible.length) {
        capture.graph.refuse(`a closure with variables made by eval (${visible.join(' ')})`, id);
      }
      return maker;
    });
    let first = 0;
    // A class makes this scope for itself when its text is evaluated again.
    if (isClass(node) && makers[0] === node) first = 1;
    let parent = NO_SCOPE;
    for (let i = chain.length - 1; i >= first; i--) {
      if (module && i === chain.length - 1) {
        parent = capture.modules.enter(module, chain[i], aligned[i], id);
        continue;
      }
      if (library && i === chain.length - 1) {
        parent = this.libraryScope(library);
        continue;
      }
      // What a move put around all scopes is there again after the next.
      if (aligned[i].names.length === 1 && aligned[i].names[0] === RUN) continue;
      parent = this.record(chain[i], aligned[i], makers[i], parent, id);
    }
    return parent;
  }

  // The module of Node that a node stands in; undefined for other scripts.
  libraryOf(node) {
    let at = node;
    while (at.up) at = at.up;
    return at.script?.library;
  }

  // The number of the scope that has what is at the top of a module of Node.
  libraryScope(id) {
    if (!this.libraries.has(id)) {
      this.libraries.set(id, this.records.push({ parent: NO_SCOPE, vars: [], library: id }) - 1);
    }
    return this.libraries.get(id);
  }

  // Has the scope, and all that is in it, made by a text of the file `url`.
  noteFile(scope, url, id) {
    let at = scope;
    while (this.records[at].parent >= 0) at = this.records[at].parent;
    const record = this.records[at];
    if (record.from !== undefined && record.from !== url) {
      this.capture.graph.refuse('an import() whose file is not known', id);
    }
    record.from = url;
  }

  // Whether a scope is the one that a node of the source makes.
  isMadeBy(scope, node) {
    if (scope < 0) return false;
    return this.records[scope].module !== undefined ? node.type === 'Program' :
      this.makers[scope] === node;
  }

  // The ES module that a node stands in; undefined for other scripts.
  moduleOf(node) {
    let at = node;
    while (at.up) at = at.up;
    return at.script && this.capture.modules.of(at.script);
  }

  // What the inspector says of each context. It leaves out those with nothing to show.
  // `isOpen`: the outermost is that of a module, which shows what is imported, too.
  align(chain, scopes, id, isOpen) {
    const rest = [...scopes];
    const found = chain.map((context, i) => {
      if (rest.length === 0) return NOTHING;
      const { shown } = context;
      if (isOpen && i === chain.length - 1) return rest.shift();
      if (shown === undefined) return rest[0].names.length > MANY ? rest.shift() : undefined;
      if (shown.length === 0 && rest[0].names.length > 0) return NOTHING;
      const names = new Set(shown);
      return rest[0].names.length === names.size && rest[0].names.every((name) => names.has(name)) ?
        rest.shift() : undefined;
    });
    if (rest.length || found.includes(undefined)) {
      const texts = [chain.map(({ shown }) => shown?.join(' ') ?? 'many').join(' | '),
                     scopes.map(({ names }) => names.join(' ')).join(' | ')];
      this.capture.graph.refuse(
        `a closure whose scopes are not understood (${texts.join(' as ')})`, id);
    }
    return found;
  }

  record(context, { names, values }, maker, parent, id) {
    if (context.scope !== undefined) return context.scope;
    const { graph } = this.capture;
    const record = { parent, vars: [] };
    if (maker && isStrict(maker)) record.strict = 1;
    const scope = context.scope = this.records.length;
    this.records.push(record);
    this.makers[scope] = maker;
    if (context.dead.length && !context.names) graph.refuse('a scope of many variables', id);
    const dead = new Set(context.dead.map((slot) => context.names[slot]));
    const declared = maker?.declared;
    for (const name of names) {
      if (!IDENTIFIER.test(name)) continue;
      if (name === 'arguments' && record.strict) {
        // It cannot be assigned: the object is that of the function which makes the scope.
        record.arguments = graph.value(values[name], id, '(arguments)');
        if (!types.isArgumentsObject(values[name])) graph.refuse('a variable called arguments', id);
        continue;
      }
      const kind = declared?.get(name) ?? 'let';
      if (dead.has(name)) record.vars.push([name, 'dead', ['u']]);
      else record.vars.push([name, kind, graph.value(values[name], id, `(${name})`)]);
    }
    return scope;
  }

  // An arrow function that uses the `this` of what it stands in: that context has to have it.
  noteThis(id, chain, node) {
    if (node.type !== 'ArrowFunctionExpression') return;
    if (!usesOwn(node, ({ type }) => type === 'ThisExpression')) return;
    for (const context of chain) {
      if (!context.names) this.capture.graph.refuse('a scope of many variables with this', id);
      if (context.hasThis) {
        if (!this.wantThis.has(context)) this.wantThis.set(context, id);
        return;
      }
    }
    // No context has it: that of an ES module's top, undefined.
  }

  // Fills in what `noteThis` asked for; to be called when all else has been walked.
  findThis() {
    const { capture } = this;
    const wanted = [...this.wantThis];
    this.wantThis = new Map();
    for (const [context, id] of wanted) {
      const record = this.records[context.scope];
      if (!record || record.this !== undefined) continue;
      record.this = capture.graph.value(capture.thisOf(context, id), id, '(this)');
    }
    return wanted.length > 0;
  }
}

module.exports = { NO_SCOPE, Scopes };
