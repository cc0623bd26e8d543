#!/usr/bin/env node
'use strict';
// Written so that any Node can read it: an old one shall hear what is wrong, not meet a SyntaxError.
var node = process.versions.node.split('.').map(Number);
if (node[0] < 20 || (node[0] === 20 && node[1] < 19)) {
  console.error('rolesanywhere: error: this needs Node.js 20.19 or newer and runs on ' + process.version);
  process.exit(1);
}

var command;
try {
  command = require('../dist/rolesanywhere.cjs');
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND') throw error;
  console.error('rolesanywhere: error: dist/rolesanywhere.cjs is missing');
  console.error('rolesanywhere: hint: run npm ci, or npm run build, in the package first');
  process.exit(1);
}

command.main(process.argv.slice(2)).then(function (code) {
  process.exit(code);
});
