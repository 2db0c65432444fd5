'use strict';
// Suspended functions: generators, and async functions at an `await`.
//
// What one needs to go on is its function's source and the place in it, the variables by name, the
// iterators of the loops it is in, and that what it had evaluated of the expression around the
// place comes out the same again. The last is checked against the registers that V8 saved.

const { makerOf } = require('./moving/declarations');
const { WORD } = require('./moving/memory');
const { makerOf: functionOf } = require('./moving/natives');
const { settledOperands } = require('./moving/operands');
const { frameOrigins, loopIterators } = require('./moving/originals');
const { writeProperties, writePrototype } = require('./moving/properties');
const {
  SkipError, declaring, enclosingLoops, findSuspension, keyOf, pathTo, skipText,
} = require('./moving/skip');
const { Script, isFunction, walk } = require('./moving/syntax');
const { enclosingClass, noteImports, usesPrivate } = require('./moving/functions');

const REGISTERS_MAX = 4096;

// The own function node of a text that is a function expression or method by itself.
function parseFunction(origin) {
  const script = new Script(origin.method ? `({${origin.text}})` : `(${origin.text})`);
  return { script, node: script.functions[0].node };
}

class Frames {
  constructor(capture) {
    this.capture = capture;
    this.waiting = [];
  }

  begin(generator, id, isAsync, node) {
    const { graph } = this.capture;
    const record = { k: isAsync ? 'frame' : 'generator' };
    const maker = functionOf(generator);
    const text = Function.prototype.toString.call(maker);
    if (!isAsync) {
      writePrototype(graph, generator, id, record, undefined);
      writeProperties(graph, generator, id, record);
      const kind = Object.prototype.toString.call(generator);
      if (/^async\b/.test(text) && kind === '[object AsyncGenerator]') {
        return graph.refuse('an async generator', id);
      }
    }
    this.waiting.push([generator, id, isAsync, node]);
    return record;
  }

  settle() {
    const waiting = this.waiting.splice(0);
    for (const item of waiting) {
      try {
        this.frame(...item);
      } catch (error) {
        if (!(error instanceof SkipError)) throw error;
        this.capture.graph.refuse(`a suspended function with ${error.message}`, item[1]);
      }
    }
    return waiting.length > 0;
  }

  frame(generator, id, isAsync, heapNode) {
    const { capture } = this;
    const { graph, inspector } = capture;
    const record = graph.records[id];
    const slots = inspector.slots(generator);
    const state = slots['[[GeneratorState]]']();
    if (state === 'closed') { record.closed = 1; return; }
    if (state === 'running') graph.refuse('a generator that is running', id);
    const maker = functionOf(generator);
    record.function = graph.value(maker, id, '(generator function)');
    record.this = graph.value(slots['[[GeneratorReceiver]]']?.(), id, '(this)');

    const place = capture.placeOf(maker, id);
    const location = inspector.properties(inspector.idOf(generator)).internalProperties
      .find(({ name }) => name === '[[GeneratorLocation]]').value.value;
    const at = this.positionOf(place.script, location);
    let { script, entry: { node, outer, strict } } = place;
    let suspension = findSuspension(node, at);
    const origin = frameOrigins.get(maker);
    const scopes = inspector.scopes(generator);
    const { values, visible, captured } =
      this.variables(generator, maker, id, place, scopes, record, suspension);
    if (suspension === undefined && at !== node.start && !this.isAtStart(node, at)) {
      throw new SkipError('a place that is not found');
    }
    const own = { text: script.text(outer), method: outer !== node ? 1 : 0,
                  strict: strict ? 1 : 0 };
    const known = origin ?? own;
    // It was moved before it began: what it was to begin with waits in what it was given.
    if (origin && !suspension) Object.assign(values, values.$oneos_locals);
    const captures = new Set([...(origin?.captured ?? []), ...captured]);
    if (origin) {
      // It was moved before: its place in the text as it was written first.
      const ordinal = this.ordinalOf(node, suspension);
      ({ script, node } = parseFunction(origin));
      const list = this.suspensions(node);
      // Where it was moved at a place, its text has that twice. One that was moved before it began
      // has the text as it was, and stands at its beginning as long as it stands nowhere else.
      if (suspension) {
        const isTwice = origin.ordinal >= 0 && ordinal > origin.ordinal;
        suspension = list[isTwice ? ordinal - 1 : ordinal];
        if (!suspension) throw new SkipError('a place that is not found');
      }
      outer = node;
    }
    record.strict = strict ? 1 : 0;
    const skipped = skipText(script, node, suspension, { captured: captures, isAsync });
    record.frame = skipped.text;
    noteImports(capture, place.entry.node, place.script, record, id);
    record.locals = skipped.names.filter((name) => name in values)
      .map((name) => [name, graph.value(values[name], id, `(${name})`)]);
    record.origin = {
      ...known, captured: [...captures],
      ordinal: suspension ? this.suspensions(node).indexOf(suspension) : -1,
    };
    if (suspension) {
      this.iterators(generator, id, suspension, node, record);
      this.operands(generator, suspension, node, script, { values: visible, slots });
    }
    if (isAsync) this.result(generator, heapNode, values, record, id);
    const around = enclosingClass(place.entry.node);
    if (/\bsuper\b/.test(record.frame)) throw new SkipError('super');
    if (around && usesPrivate(place.entry.node)) {
      capture.inside.push([id, place.script, around, record]);
    }
  }

  positionOf({ source }, { lineNumber, columnNumber }) {
    let at = 0;
    for (let line = 0; line < lineNumber; line++) at = source.indexOf('\n', at) + 1;
    return at + columnNumber;
  }

  // A generator that has not begun stands where its parameters are.
  isAtStart(node, at) { return at >= node.start && at <= node.body.start; }

  suspensions(node) {
    const found = [];
    walk(node, (below) => {
      if (below !== node && isFunction(below)) return false;
      if (below.type === 'AwaitExpression' || below.type === 'YieldExpression') found.push(below);
      return undefined;
    });
    return found.sort((a, b) => a.start - b.start);
  }

  ordinalOf(node, suspension) { return this.suspensions(node).indexOf(suspension); }

  // {values, visible, captured}: all variables by name, and the names of those in a scope that is
  // moved as such. Enters the scopes of the frame.
  variables(generator, maker, id, place, scopes, record, suspension) {
    const { capture } = this;
    const { node } = place.entry;
    const outerScopes = capture.inspector.scopes(maker);
    const names = new Set([...scopes, ...outerScopes].flatMap((scope) => scope.names));
    const [chain, outer] = capture.contexts.chainsOf([generator, maker], names);
    const own = chain.slice(0, chain.length - outer.length);
    if (outer.some((context, i) => chain[own.length + i] !== context)) {
      throw new SkipError('scopes that are not understood');
    }
    record.scope = capture.scopes.enter(id, outer, outerScopes, node.up);
    const local = scopes.findIndex(({ kind }) => kind === 'Local');
    if (local < 0) throw new SkipError('no variables to be seen');
    const mine = scopes.slice(0, local + 1);
    const values = Object.create(null);
    const visible = Object.create(null);  // Of several of one name the innermost.
    const path = suspension ? pathTo(node, suspension) : [node];
    const twice = new Set();
    for (const name of new Set(mine.flatMap((scope) => scope.names))) {
      const found = mine.filter((scope) => scope.names.includes(name)).reverse();
      // One that nothing uses is not shown, and it is not known which one is.
      if (found.length > 1) {
        twice.add(name);
        if (found.length !== declaring(path, name).length) {
          throw new SkipError(`two variables of the name ${name}`);
        }
      }
      found.forEach((scope, depth) => { values[keyOf(name, depth)] = scope.values[name]; });
      visible[name] = found.at(-1).values[name];
    }
    const captured = [];
    for (const context of [...own].reverse()) {
      const shown = context.shown ?? (() => { throw new SkipError('too many variables'); })();
      if (shown.length === 0 && !context.hasThis) continue;
      const shared = shown.find((name) => twice.has(name));
      if (shared) throw new SkipError(`two variables of the name ${shared}, one of them shared`);
      const found = Object.create(null);
      for (const name of shown) found[name] = values[name];
      const kind = shown.every((name) => scopes[local].names.includes(name)) ? 'Closure' : 'Block';
      const maker_ = makerOf(kind === 'Closure' ? node : suspension ?? node, kind, shown) ?? node;
      const scope = { kind, names: shown, values: found };
      const made = capture.scopes.record(context, scope, maker_, record.scope, id);
      if (context.hasThis) capture.scopes.wantThis.set(context, id);
      if (kind === 'Closure') {
        captured.push(...shown);
        record.scope = made;
      } else {
        // A copy will do for what never changes again.
        for (const name of shown) this.checkUnassigned(maker_, name);
      }
    }
    return { values, visible, captured };
  }

  checkUnassigned(block, name) {
    const header = block.type === 'ForStatement' ? [block.init, block.update, block.test] : [];
    walk(block, (below) => {
      if (header.includes(below)) return false;
      const target = below.type === 'AssignmentExpression' ? below.left :
        below.type === 'UpdateExpression' ? below.argument : undefined;
      if (target?.type === 'Identifier' && target.name === name) {
        throw new SkipError(
          `a variable of a block that a closure shares and that changes (${name})`);
      }
      return undefined;
    });
  }

  // The iterators of the loops around the place, the outermost first.
  iterators(generator, id, suspension, node, record) {
    const loops = enclosingLoops(node, suspension);
    record.iterators = [];
    if (loops === 0) return;
    const { capture } = this;
    const heap = capture.snapshot();
    const registers = heap.edge(heap.nodeOf(generator), 'parameters_and_registers');
    const elements = heap.edges(registers).filter(({ name }) => /^\d+$/.test(name))
      .map(({ name, to }) => [Number(name), to]).sort(([a], [b]) => a - b);
    const found = [];
    elements.forEach(([, to], i) => {
      const before = elements[i - 1];
      if (!before || heap.typeOf(before[1]) !== 'closure') return;
      if (heap.nameOf(before[1]) !== 'next') return;
      if (!heap.isObject(to) || heap.typeOf(to) === 'closure') return;
      const held = heap.live(to);
      const iterator = loopIterators.get(held) ?? held;
      if (!capture.isSpent(iterator)) found.push(iterator);
    });
    if (found.length !== loops) throw new SkipError('loops whose iterators are not understood');
    record.iterators = found.map((iterator, i) =>
      capture.graph.value(iterator, id, `(loop ${i + 1})`));
  }

  // Ends the capture unless what was evaluated before the place is evaluated again to the same.
  operands(generator, suspension, node, script, { values, slots }) {
    const { memory, layout } = this.capture;
    const self = slots['[[GeneratorReceiver]]']?.();
    const expected =
      settledOperands(this.capture, suspension, node, script, values, self, generator);
    if (expected.length === 0) return;
    const missing = memory.withAddresses([generator, ...expected], (at) => {
      const registers = new Set();
      // The word that leads to an array of them is the last of the generator's own.
      for (let i = layout.context + 1; i < layout.context + 7; i++) {
        const word = memory.word(at[0] + i * WORD);
        if (word % 2 !== 1) continue;
        // What looks like an address may be a part of whatever comes after the generator.
        const length = memory.wordIfAny(word - 1 + WORD) / 0x100000000;
        if (!Number.isInteger(length) || length < 0 || length > REGISTERS_MAX) continue;
        for (let k = 0; k < length; k++) registers.add(memory.wordIfAny(word - 1 + (2 + k) * WORD));
      }
      return expected.findIndex((_, i) => !registers.has(at[i + 1] + 1));
    });
    if (missing >= 0) throw new SkipError('an expression in which something has changed since');
  }

  // The promise that the async function settles at its end, or what settles it.
  result(generator, heapNode, values, record, id) {
    const { graph } = this.capture;
    const resolve = Object.keys(values).find((name) => name === '$oneos_ok');
    if (resolve !== undefined) {
      record.ok = graph.value(values[resolve], id, '(resolve)');
      record.no = graph.value(values.$oneos_no, id, '(reject)');
      return;
    }
    const heap = this.capture.snapshot();
    const promises = heap.edges(heapNode ?? heap.nodeOf(generator))
      .filter(({ type, to }) => type === 'hidden' && heap.nameOf(to) === 'Promise');
    if (promises.length) record.promise = graph.value(heap.live(promises[0].to), id, '(promise)');
  }
}

module.exports = { Frames };
