// acorn in mid-text, yaml documents, marked, handlebars templates.
const acorn = require('acorn');
const { marked } = require('marked');
const YAML = require('yaml');
const Handlebars = require('handlebars');
const source = 'const a = [1, 2].map((x) => x ** 2); class B extends Object { #p = `t${a}`; } async () => { for await (const y of a) { await y; } }';
const tokens = acorn.tokenizer(source, { ecmaVersion: 2022 });
const document = YAML.parseDocument('a: &x [1, 2]\nb: *x\n# comment\nc:\n  - d: e\n');
Handlebars.registerHelper('shout', (text) => String(text).toUpperCase());
Handlebars.registerPartial('item', '<li>{{shout name}}</li>');
const template = Handlebars.compile('<ul>{{#each list}}{{> item}}{{else}}none{{/each}}</ul> {{turn}}');
const lexer = new marked.Lexer();
let turn = 0;
setTimeout(function next() {
  turn++;
  const token = tokens.getToken();
  console.log(turn, token.type.label, token.value, acorn.parse(source, { ecmaVersion: 2022 }).body.length);
  document.setIn(['c', turn], { turn });
  console.log(String(document).split('\n').length, YAML.stringify({ turn, list: [turn] }).trim(), document.getIn(['b', 0]) ?? 'alias');
  console.log(marked.parse(`# Turn ${turn}\n\n* a\n* **b**\n\n| x | y |\n|---|---|\n| 1 | ${turn} |\n`).length, lexer.inlineTokens(`*x* ${turn}`).length, template({ list: turn % 2 ? [{ name: `n${turn}` }] : [], turn }));
  if (turn < 10) setTimeout(next, 15);
}, 15);
