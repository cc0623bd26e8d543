#!/usr/bin/env node
'use strict';
// Written so that any Node can read it: an old one shall hear what is wrong, not meet a SyntaxError.
var node = process.versions.node.split('.').map(Number);
if (node[0] < 20 || (node[0] === 20 && node[1] < 19)) {
  console.error('rolesanywhere: error: this needs Node.js 20.19 or newer and runs on ' + process.version);
  process.exit(1);
}

var fs = require('fs');

// Where code-cache.js, beside this file, puts what V8 has compiled, for this very Node.js.
var cache = __dirname + '/../dist/code-cache/' + process.version + '-' + process.arch;

/** What `require` does, for the files in dist/: without compiling those that the cache has. */
function load(name) {
  if (name[0] !== '.') return require(name);
  var path = require('path');
  var file = path.join(__dirname, '..', 'dist', name);
  if (require.cache[file]) return require.cache[file].exports;
  var Module = require('module');
  var source = fs.readFileSync(file);
  var module = new Module(file);
  require.cache[file] = module;
  new (require('vm').Script)(Module.wrap(source.toString()), {
    filename: file,
    cachedData: compiled(cache + '/' + name, source),
  }).runInThisContext()(module.exports, load, module, file, path.dirname(file));
  return module.exports;
}

/**
 * An entry ends with the source that it was made from: where that is another now, it is passed over, as one is that cannot
 * be read. V8 itself compares its own version and its flags.
 */
function compiled(entry, source) {
  var bytes;
  try {
    bytes = fs.readFileSync(entry);
    // eslint-disable-next-line no-unused-vars -- ECMAScript 5 has no catch without a name
  } catch (_) {
    return undefined;
  }
  return bytes.subarray(-source.length).equals(source) ? bytes.subarray(0, -source.length) : undefined;
}

var command;
try {
  command = fs.existsSync(cache) ? load('./rolesanywhere.cjs') : require('../dist/rolesanywhere.cjs');
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND') throw error;
  console.error('rolesanywhere: error: dist/rolesanywhere.cjs is missing');
  console.error('rolesanywhere: hint: run npm ci, or npm run build, in the package first');
  process.exit(1);
}

command.main(process.argv.slice(2)).then(function (code) {
  process.exit(code);
});
