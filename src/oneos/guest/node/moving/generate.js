'use strict';
// The text from which a program's closures are made again: a scope inside of a scope, as they were.
//
// Each scope is a generator. It first hands out functions that make its closures and its inner
// scopes; when every object of the image exists it goes on, and its variables get their values as
// what they were declared, so that a constant is one again. What was not reached stays so: the
// generator ends before it. Nothing of the program's runs.

const { hasPrivate } = require('./moving/classes');
const { moduleText } = require('./moving/moduletext');
const { Script, parse } = require('./moving/syntax');

const quote = JSON.stringify;
const TOP = -1;

// What in the text is ours: names that no program has, and that never reach a closure's scope.
const RUN = '$oneos';

function methodKey(text) {
  const source = `({${text}})`;
  const [method] = parse(source).body[0].expression.properties;
  if (method.computed) return undefined;
  return String(method.key.name ?? method.key.value);
}

// An expression that gives the function. The name an expression gets is set later if it differs.
function closureText(record) {
  const { text, method } = record;
  if (method) {
    const key = methodKey(text);
    if (key === undefined) return anonymousMethod(record);
    return `Object.getOwnPropertyDescriptor({${text}}, ${quote(key)}).${method}`;
  }
  const name = declaredName(text);
  // Nothing of a declaration refers to its name if no scope has it.
  if (record.declared) return `(() => { ${text}\nreturn ${name}; })()`;
  if (name !== undefined) return `(${text})`;
  return `({ [${quote(record.name ?? '')}]: ${text} })[${quote(record.name ?? '')}]`;
}

const declaredName = (text) =>
  /^(?:async\s+)?function\s*\*?\s*([\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*)/u.exec(text)?.[1];

function anonymousMethod({ text, method }) {
  const source = `({${text}})`;
  const [node] = parse(source).body[0].expression.properties;
  const { start, end } = node.key;
  const fixed = `${source.slice(0, start)}'m'${source.slice(end)}`;
  return `Object.getOwnPropertyDescriptor(${fixed}, 'm').${method}`;
}

// A class's text with what it takes to make it without running any code of the program.
function classText(record, id, inside) {
  const source = `(${record.text})`;
  const node = parse(source).body[0].expression;
  const edits = [];
  const edit = (start, end, text) => edits.push([start, end, text]);
  if (node.superClass) edit(node.superClass.start, node.superClass.end, '($super)');
  const names = { instance: new Set(), static: new Set() };
  let constructor;
  node.body.body.forEach((member, index) => {
    if (record.keys?.[index] !== undefined) {
      edit(member.key.start, member.key.end, `$keys[${index}]`);
    }
    const isPrivate = member.key?.type === 'PrivateIdentifier';
    if (member.type === 'StaticBlock') {
      edit(member.start, member.end, 'static{}');
    } else if (member.type === 'PropertyDefinition') {
      if (isPrivate) names[member.static ? 'static' : 'instance'].add(member.key.name);
      if (member.static) {
        edit(member.start, member.end, isPrivate ? `static #${member.key.name};` : 'static{}');
      } else if (member.value) {
        const { start, end } = member.value;
        edit(start, end, `${RUN}.on ? undefined : (${source.slice(start, end)})`);
      }
    } else if (member.kind === 'constructor') {
      constructor = member;
    }
  });
  if (needsMaker(node)) {
    if (constructor) {
      const start = constructor.value.body.start + 1;
      edit(start, start, `if (${RUN}.on && new.target === ${RUN}.Maker) { ${
        node.superClass ? 'super(); return;' : 'return;'} }`);
    }
    const sets = (from, to) => [...from].map((name) =>
      `case '#${name}': ${to}.#${name} = v; break;`).join(' ');
    const end = node.body.end - 1;
    edit(end, end, `static { ${RUN}.made(this, ${id}, {
      set(o, n, v) { switch (n) { ${sets(names.instance, 'o')} } },
      setStatic(o, n, v) { switch (n) { ${sets(names.static, 'o')} } },
      ${inside} }); }`);
  }
  edits.sort((a, b) => b[0] - a[0]);
  let text = source;
  for (const [start, end, put] of edits) text = text.slice(0, start) + put + text.slice(end);
  return text;
}

const needsMaker = (node) => hasPrivate(node);

class Generator {
  constructor(state) {
    this.state = state;
    this.inScope = new Map();
    this.inClass = new Map();
    this.declarations = new Map();  // Scope -> name -> its closure that is a declaration there.
    const add = (map, key, item) => {
      if (!map.has(key)) map.set(key, []);
      map.get(key).push(item);
    };
    const { objects, scopes } = state;
    scopes.forEach((scope, i) => {
      if (scope.module !== undefined || scope.library !== undefined) return;
      const outer = scope.parent >= 0 ? scopes[scope.parent].in : undefined;
      const isFirst = scope.in !== undefined && scope.in !== outer;
      const place = scope.parent === TOP ? scope.from ?? TOP : scope.parent;
      add(isFirst ? this.inClass : this.inScope, isFirst ? scope.in : place,
          () => this.scope(i));
    });
    objects.forEach((record, i) => {
      if (record.k !== 'closure' && record.frame === undefined) return;
      const { scope } = record;
      const isFirst = record.in !== undefined && (scope < 0 || scopes[scope].in !== record.in);
      const place = scope === TOP ? record.from ?? TOP : scope;
      add(isFirst ? this.inClass : this.inScope, isFirst ? record.in : place,
          () => this.closure(record, i));
      if (record.home) this.declare(record, i, scopes[scope]);
    });
  }

  // A declaration is one again where its scope has its name, so that it refers to that variable.
  declare(record, id, { vars }) {
    const name = declaredName(record.text);
    if (!vars.some(([found, kind]) => found === name && kind !== 'dead')) return;
    if (!this.declarations.has(record.scope)) this.declarations.set(record.scope, new Map());
    const declared = this.declarations.get(record.scope);
    if (declared.has(name)) return;
    declared.set(name, id);
    record.declaredAs = name;
  }

  members(map, key) { return (map.get(key) ?? []).map((make) => make()).join(',\n'); }

  closure(record, id) {
    const strict = record.strict ? '"use strict"; ' : '';
    if (record.frame !== undefined) return `f${id}: () => { ${strict}return ${record.frame}; }`;
    if (record.declaredAs) return `f${id}: () => ${record.declaredAs}`;
    if (record.class) {
      const inside = this.members(this.inClass, id);
      return `f${id}: ($super, $keys) => { ${strict}return ${classText(record, id, inside)}; }`;
    }
    return `f${id}: () => { ${strict}return ${closureText(record)}; }`;
  }

  scope(i) {
    const { vars, strict } = this.state.scopes[i];
    const declared = this.declarations.get(i) ?? new Map();
    const lines = [];
    const dead = [];
    vars.forEach(([name, kind], at) => {
      if (kind === 'dead') dead.push(`let ${name};`);
      else if (name === 'arguments' || declared.has(name)) lines.push(`${name} = yield ${at};`);
      else lines.push(`${kind === 'const' ? 'const' : 'let'} ${name} = yield ${at};`);
    });
    const own = this.state.scopes[i].arguments ? `${RUN}_arguments: arguments,\n` : '';
    const head = strict ? '"use strict"; ' : vars.some(([name]) => name === 'arguments') ?
      'var arguments; ' : '';
    const texts = [...declared.values()].map((id) => this.state.objects[id].text);
    return `s${i}: function*() { ${head}yield {
${own}${this.members(this.inScope, i)} };
${lines.join(' ')}
yield -1; ${dead.join(' ')}
${texts.join('\n')} }`;
  }

  // The source of each ES module, by its number.
  modules() {
    const texts = [];
    this.state.roots.esm.forEach(({ source, scope }, i) => {
      if (source === undefined) return;
      const declared = new Map([...this.declarations.get(scope) ?? []]
        .map(([name, id]) => [name, this.state.objects[id].text]));
      texts[i] = moduleText(new Script(source, true), {
        members: this.members(this.inScope, scope), declared, number: scope,
        vars: this.state.scopes[scope].vars,
      });
    });
    return texts;
  }

  // [URL or undefined, text] of all that is in no ES module: by the file that each has to be of.
  texts() {
    const files = [...this.inScope.keys()].filter((key) => typeof key === 'string');
    return [TOP, ...files].map((key) => [key === TOP ? undefined : key,
      `(function(${RUN}) { return {\n${this.members(this.inScope, key)}\n}; })`]);
  }
}

// The text of a function that makes what is in such a scope; it takes {name: value} of the module's
// top. The last member keeps a context around all of them.
function libraryText(members, top) {
  const words = new Set(members.match(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu));
  const names = Object.keys(top).filter((name) => words.has(name));
  return `(function(${RUN}, { ${names.join(', ')} }) { return {\n${members},
${RUN}: () => ${RUN}\n}; })`;
}

// {texts, modules}: functions of what the restoring side offers, and the sources of ES modules.
function generate(state) {
  const generator = new Generator(state);
  return { generator, texts: generator.texts(), modules: generator.modules() };
}

module.exports = { RUN, generate, libraryText };
