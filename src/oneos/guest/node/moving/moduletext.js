'use strict';
// The source of an ES module that has what another had, and runs nothing of it.
//
// Imports stand as they stood. Each variable gets its value when the module is evaluated, which is
// after everything else was made; what makes its closures is a function that is there before. That
// function is exported, so others import the module by a second one, which has only its names.

const { bound, isClass, isFunction } = require('./moving/syntax');

const RUN = '$oneos';  // As in generate.js.
const MEMBERS = `${RUN}_members`;
const DEFAULT = `${RUN}_default`;
const RUN_URL = 'oneos:run';

const quote = JSON.stringify;
const nameOf = ({ name, value }) => name ?? value;

// The local name of what `export default` exports.
function defaultName({ declaration }) {
  const isNamed = (isFunction(declaration) || isClass(declaration)) &&
    declaration.type.endsWith('Declaration') && declaration.id;
  return isNamed ? declaration.id.name : DEFAULT;
}

// [local name, name of the export] of the module's own variables that it exports.
function localExports(tree) {
  const found = [];
  const imported = new Set();
  for (const statement of tree.body) {
    if (statement.type !== 'ImportDeclaration') continue;
    for (const { local } of statement.specifiers) imported.add(local.name);
  }
  for (const statement of tree.body) {
    if (statement.type === 'ExportDefaultDeclaration') {
      found.push([defaultName(statement), 'default']);
    } else if (statement.type === 'ExportNamedDeclaration' && !statement.source) {
      const { declaration } = statement;
      if (declaration) {
        const names = declaration.type === 'VariableDeclaration' ?
          declaration.declarations.flatMap(({ id }) => bound(id)) : [declaration.id.name];
        for (const name of names) found.push([name, name]);
      }
      for (const { local, exported } of statement.specifiers) {
        found.push([nameOf(local), nameOf(exported)]);
      }
    }
  }
  return found.filter(([local]) => !imported.has(local));
}

const WITH_SOURCE = new Set(['ImportDeclaration', 'ExportAllDeclaration']);

// `members`: the text of what makes closures; `declared`: texts of functions that are declared
// there, by their names; `vars` and `number`: the module's scope, and which it is.
function moduleText({ tree, source }, { members, declared, vars, number }) {
  const lines = [`import { ${RUN} } from ${quote(RUN_URL)};`];
  for (const statement of tree.body) {
    if (WITH_SOURCE.has(statement.type) || statement.source) {
      lines.push(source.slice(statement.start, statement.end));
    } else if (statement.type === 'ExportNamedDeclaration' && !statement.declaration) {
      const names = statement.specifiers.map(({ local, exported }) =>
        `${nameOf(local)} as ${quote(nameOf(exported))}`);
      lines.push(`export { ${names.join(', ')} };`);
    } else if (statement.type.startsWith('Export')) {
      const names = localExports({ body: [statement] })
        .map(([local, exported]) => `${local} as ${quote(exported)}`);
      lines.push(`export { ${names.join(', ')} };`);
    }
  }
  lines.push(`export function ${MEMBERS}() { return {\n${members} }; }`);
  vars.forEach(([name, kind], i) => {
    const value = `${name} = ${RUN}.value(${number}, ${i})`;
    const word = kind === 'const' ? 'const' : 'let';
    lines.push(declared.has(name) ? `${value};` : `${word} ${value};`);
  });
  return [...lines, ...declared.values()].join('\n');
}

// The module by which the others import it.
function facadeText(names) {
  return `export { ${names.map((name) => `${quote(name)} as ${quote(name)}`).join(', ')
  } } from 'oneos:own';`;
}

module.exports = { MEMBERS, RUN, RUN_URL, facadeText, localExports, moduleText };
