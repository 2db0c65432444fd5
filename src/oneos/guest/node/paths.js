'use strict';
// Where a path of the program leads: into the tree, or to the host's own files.
//
// Native and read-only are the interpreter's installation, /usr, /lib*, the context's own files,
// and what was staged for this process. Everything else is the tree, the working directory
// included, which the context keeps itself: the host's plays no part.

const { posix } = require('path');
const limits = require('./limits');

// What is on no host: native functions are given it where they are called for their errors.
const NOWHERE = '/proc/self/no-program';

const roots = [];
let directory = '/';

function addNative(root) {
  if (root && root !== '/') roots.push(root);
}

for (const root of ['/usr', '/lib', '/lib32', '/lib64', '/libx32']) addNative(root);
addNative(process.execPath);
addNative(posix.dirname(posix.dirname(process.execPath)));
addNative(__dirname);

function isNative(path) {
  if (path.includes('/.') || path.includes('//')) path = posix.normalize(path);
  for (const root of roots) {
    if (path.startsWith(root) && (path.length === root.length || path[root.length] === '/')) {
      return true;
    }
  }
  return false;
}

// A directory of the host that the program sees at another place: the packages that were installed
// for it stand in `node_modules` beside it, as if npm had put them there.
let laid;

// `root`: of the host. `at`: absolute, in the tree.
function lay(root, at) {
  laid = { root, at: posix.normalize(at) };
}

// Where a laid path is on the host; undefined for all others. Latin-1 keeps every byte apart.
function underLaid(path) {
  if (path.includes('/.') || path.includes('//')) path = posix.normalize(path);
  const { root, at } = laid;
  if (!path.startsWith(at) || (path.length > at.length && path[at.length] !== '/')) return undefined;
  return root + path.slice(at.length);
}

const SLASH = 0x2f;

// {path, native, laid}: the absolute path, a string or (as the program gave it) bytes.
function locate(path) {
  if (typeof path === 'string') {
    if (path[0] !== '/' && path !== '') path = `${directory === '/' ? '' : directory}/${path}`;
    const there = laid && underLaid(path);
    return there === undefined ? { path, native: isNative(path) } : { path: there, native: true, laid: true };
  }
  let bytes = Buffer.from(path.buffer, path.byteOffset, path.byteLength);
  if (bytes.length && bytes[0] !== SLASH) {
    bytes = Buffer.concat([Buffer.from(`${directory}/`), bytes]);
  }
  // Latin-1 keeps every byte apart, and the native roots are ASCII or simply do not match.
  const there = laid && underLaid(bytes.latin1Slice());
  if (there !== undefined) return { path: Buffer.from(there, 'latin1'), native: true, laid: true };
  return { path: bytes, native: isNative(bytes.latin1Slice()) };
}

// The requests that Node's loading of the main script begins with: is it there, are the directories
// above it links, has one of them a package.json.
function questionsAbout(script) {
  const requests = [['stat', wire(script), true], ['stat', wire(script), false]];
  for (let at = posix.dirname(script); ; at = posix.dirname(at)) {
    requests.push(['stat', wire(posix.join(at, 'package.json')), true]);
    if (at === '/' || requests.length >= limits.FORESEEN_REQUESTS_MAX) return requests;
    requests.push(['stat', wire(at), false]);
  }
}

// As the protocol carries paths: bytes.
function wire(path) {
  return typeof path === 'string' ? Buffer.from(path) : path;
}

module.exports = {
  NOWHERE,
  addNative,
  lay,
  locate,
  questionsAbout,
  wire,
  cwd: () => directory,
  setCwd: (path) => { directory = path; },
};
