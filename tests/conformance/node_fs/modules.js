'use strict';
// `require` and `import` of modules and packages.
const fs = require('fs');
const path = require('path');
const Module = require('module');
const { pathToFileURL } = require('url');

function write(files) {
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(name), { recursive: true });
    fs.writeFileSync(name, typeof text === 'string' ? text : JSON.stringify(text));
  }
}
const here = () => Module.createRequire(path.resolve('main.js'));
const load = (name) => import(pathToFileURL(name));
const thrown = (error) => [error.code, error.message.split('\n')[0]];
const failing = (action) => {
  try {
    return action();
  } catch (error) {
    return thrown(error);
  }
};

module.exports = {
  'require of a file, with and without its suffix'() {
    write({
      'a.js': 'exports.name = __filename; exports.dir = __dirname;',
      'b.json': { b: 1 },
      'c/index.js': 'module.exports = 3',
    });
    const require = here();
    return [
      require('./a'),
      require('./a.js') === require('./a'),
      require('./b'),
      require('./c'),
      require.resolve('./c'),
    ];
  },
  'require of a package: main, exports, subpath'() {
    write({
      'node_modules/p/package.json': { main: 'lib/x' },
      'node_modules/p/lib/x.js': 'module.exports = "main"',
      'node_modules/q/package.json': {
        exports: { '.': { require: './r.js', import: './i.mjs' }, './sub/*': './s/*.js' },
      },
      'node_modules/q/r.js': 'module.exports = "required"',
      'node_modules/q/i.mjs': 'export default "imported"',
      'node_modules/q/s/one.js': 'module.exports = 1',
      'node_modules/@o/s/index.js': 'module.exports = "scoped"',
    });
    const require = here();
    return [
      require('p'),
      require('q'),
      require('q/sub/one'),
      require('@o/s'),
      failing(() => require('q/s/one.js')),
      failing(() => require('none')),
      failing(() => require('./none')),
    ];
  },
  'require finds packages above'() {
    write({
      'node_modules/up/index.js': 'module.exports = "up"',
      'a/b/c.js': 'module.exports = require("up")',
    });
    return here()('./a/b/c.js');
  },
  'require of what is broken'() {
    write({ 'bad.js': 'let = ;', 'bad.json': '{', 'throws.js': 'throw new TypeError("own")' });
    const require = here();
    return ['./bad.js', './bad.json', './throws.js'].map((name) => failing(() => require(name)));
  },
  'require in a circle'() {
    write({
      'a.js': 'exports.early = 1; exports.b = require("./b").seen; exports.late = 2;',
      'b.js': 'exports.seen = Object.keys(require("./a"))',
    });
    return here()('./a');
  },
  'require.cache, module.paths, module.children'() {
    write({
      'a.js':
        'module.exports = [module.paths[0], module.id, module.loaded, require.main === module]',
    });
    const require = here();
    return [
      require('./a'),
      Object.keys(require.cache).includes(path.resolve('a.js')),
      require.resolve.paths('x')[0],
    ];
  },
  'require through a symbolic link'() {
    write({ 'real/m.js': 'module.exports = __filename' });
    fs.symlinkSync('real', 'link');
    return here()('./link/m.js');
  },
  async 'import of modules'() {
    write({
      'a.mjs':
        'import { b } from "./b.mjs"; export default b + 1; export const url = import.meta.url;',
      'b.mjs': 'export const b = 41;',
    });
    return { ...(await load('a.mjs')) };
  },
  async 'import.meta has the names'() {
    write({
      'a.mjs':
        `export default [import.meta.filename, import.meta.dirname,
          import.meta.resolve("./b.mjs")]`,
    });
    return (await load('a.mjs')).default;
  },
  async 'import of CommonJS, with names'() {
    write({
      'c.cjs': 'exports.one = 1; exports.two = 2;',
      'a.mjs': 'import c, { one } from "./c.cjs"; export default [c, one];',
    });
    return (await load('a.mjs')).default;
  },
  async 'import of packages'() {
    write({
      'node_modules/q/package.json': {
        exports: { import: './i.mjs', require: './r.cjs' },
        type: 'module',
      },
      'node_modules/q/i.mjs': 'export default "imported"',
      'node_modules/o/package.json': { main: 'm' },
      'node_modules/o/m.js': 'module.exports = "old"',
      'package.json': { name: 'me', exports: './self.mjs', imports: { '#x': './x.mjs' } },
      'self.mjs': 'export default "self"',
      'x.mjs': 'export default "hash"',
      'a.mjs':
        `import q from "q"; import o from "o"; import s from "me"; import x from "#x";
          export default [q, o, s, x];`,
    });
    return (await load('a.mjs')).default;
  },
  async 'import errors'({ settled }) {
    write({
      'a.mjs': 'import "./none.mjs"',
      'b.mjs': 'import "none"',
      'c.mjs': 'import { no } from "./d.mjs"',
      'd.mjs': '',
      'e.mjs': 'let = ;',
      'f.mjs': 'throw new RangeError("own")',
      'g.mjs': 'import "./d"',
    });
    const found = [];
    for (const name of ['a', 'b', 'c', 'e', 'f', 'g'])
      found.push(thrown(await settled(load(`${name}.mjs`))), name);
    return [...found, thrown(await settled(load('d')))];
  },
  async 'the type of a package decides'() {
    write({
      'm/package.json': { type: 'module' },
      'm/a.js': 'export default typeof require',
      'c/package.json': { type: 'commonjs' },
      'c/a.js': 'module.exports = typeof require',
    });
    return [(await load('m/a.js')).default, (await load('c/a.js')).default];
  },
  async 'import of JSON, and top-level await'() {
    write({
      'a.json': { a: [1] },
      'a.mjs':
        'import a from "./a.json" with { type: "json" }; export default await Promise.resolve(a);',
    });
    return (await load('a.mjs')).default;
  },
  'a new suffix of require'() {
    write({ 'a.txt': 'plain' });
    const require = here();
    require.extensions['.txt'] = (module, name) => {
      module.exports = fs.readFileSync(name, 'utf8').toUpperCase();
    };
    const found = require('./a.txt');
    delete require.extensions['.txt'];
    return found;
  },
  'builtinModules and isBuiltin'() {
    return [
      Module.builtinModules,
      Module.isBuiltin('fs'),
      Module.isBuiltin('internal/fs/utils'),
      failing(() => here()('internal/util')),
    ];
  },
  'require of a package.json that is broken'() {
    write({ 'node_modules/p/package.json': '{ bad', 'node_modules/p/index.js': '' });
    return failing(() => here()('p'))[0];
  },
};
