'use strict';
// `fs.cpSync` on Nodes that do its checks and its walk in C++ (22 and later).
//
// Written over the public synchronous functions, as older Nodes have it in JavaScript. The
// messages are the C++ part's own; asynchronous `fs.cp` is JavaScript everywhere and not here.

const fs = require('fs');
const { dirname, join, resolve } = require('path');

const { copyFileSync, existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, statSync,
        symlinkSync, unlinkSync, utimesSync } = fs;

function refuse(code, message) {
  const error = new Error(message);
  error.code = code;
  Error.captureStackTrace(error, refuse);
  throw error;
}

const text = (path) => Buffer.from(path).toString();
const isWithin = (path, parent) => path === parent || path.startsWith(`${parent}/`);

function checkPaths(from, to, dereference, recursive) {
  const [src, dest] = [text(from), text(to)];
  const stat = dereference ? statSync : lstatSync;
  const source = stat(src);
  const target = stat(dest, { throwIfNoEntry: false });
  if (target && source.ino === target.ino && source.dev === target.dev) {
    refuse('ERR_FS_CP_EINVAL', `src and dest cannot be the same ${dest}`);
  }
  const directory = source.isDirectory();
  if (target && directory && !target.isDirectory()) {
    refuse('ERR_FS_CP_DIR_TO_NON_DIR',
           `Cannot overwrite non-directory ${dest} with directory ${src}`);
  }
  if (target && !directory && target.isDirectory()) {
    refuse('ERR_FS_CP_NON_DIR_TO_DIR',
           `Cannot overwrite directory ${dest} with non-directory ${src}`);
  }
  if (directory && !recursive) {
    refuse('ERR_FS_EISDIR', `Recursive option not enabled, cannot copy a directory: ${src}/`);
  }
  if (directory && isWithin(resolve(dest), resolve(src))) {
    refuse('ERR_FS_CP_EINVAL', `Cannot copy ${src}/ to a subdirectory of self ${dest}`);
  }
  if (!existsSync(dirname(resolve(dest)))) mkdirSync(dirname(resolve(dest)), { recursive: true });
}

function overrideFile(src, dest, mode, preserveTimestamps) {
  unlinkSync(dest);
  copyFileSync(src, dest, mode);
  if (preserveTimestamps) keepTimes(src, dest);
}

function keepTimes(src, dest) {
  const { atime, mtime } = statSync(src);
  utimesSync(dest, atime, mtime);
}

// A link to the same place: by the same text if that is asked for, else by its whole path.
function copyLink(source, target, force, errorOnExist, verbatim) {
  const said = readlinkSync(source);
  if (lstatSync(target, { throwIfNoEntry: false })) {
    if (!force) { if (errorOnExist) exists(target); return; }
    unlinkSync(target);
  }
  symlinkSync(verbatim ? said : resolve(dirname(source), said), target);
}

function exists(target) {
  refuse('ERR_FS_CP_EEXIST', `[ERR_FS_CP_EEXIST]: Target already exists: ` +
    `cp returned EEXIST (${target} already exists) ${target}`);
}

function copyDirectory(from, to, force, dereference, errorOnExist, verbatim, preserveTimestamps) {
  const [src, dest] = [text(from), text(to)];
  mkdirSync(dest, { recursive: true });
  for (const entry of readdirSync(src, { withFileTypes: true })) {
    const [source, target] = [join(src, entry.name), join(dest, entry.name)];
    const link = entry.isSymbolicLink();
    if (link && !dereference) {
      copyLink(source, target, force, errorOnExist, verbatim);
    } else if (link ? statSync(source).isDirectory() : entry.isDirectory()) {
      copyDirectory(source, target, force, dereference, errorOnExist, verbatim,
                    preserveTimestamps);
    } else if (!existsSync(target)) {
      copyFileSync(source, target);
      if (preserveTimestamps) keepTimes(source, target);
    } else if (force) {
      overrideFile(source, target, 0, preserveTimestamps);
    } else if (errorOnExist) {
      exists(target);
    }
  }
}

module.exports = {
  cpSyncCheckPaths: checkPaths,
  cpSyncOverrideFile: overrideFile,
  cpSyncCopyDir: copyDirectory,
};
