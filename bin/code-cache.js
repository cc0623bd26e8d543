'use strict';
// Compiles what opens a session for the Node.js that runs this, and puts the result into dist/code-cache/, where
// rolesanywhere.js finds it: starts are a tenth faster. `npm run build` runs this; what npm installs has no cache, and
// whoever may write there can make one:
//
//   node "$(npm root --global)/rolesanywhere/bin/code-cache.js"
//
// Not made by the command itself: a program that keeps credentials does not write into its own folder.
const fs = require('fs');
const Module = require('module');
const path = require('path');
const v8 = require('v8');
const vm = require('vm');

/** What a credential_process runs; all else starts too seldom to matter. */
const names = ['rolesanywhere.cjs', 'credential-process.cjs', 'sessions.cjs', 'cache.cjs'];

const dist = path.join(__dirname, '..', 'dist');
const caches = path.join(dist, 'code-cache');
const cache = path.join(caches, `${process.version}-${process.arch}`);

/** V8's code for all functions of a script, with the flags that a command will run with. */
function compile(source) {
  v8.setFlagsFromString('--no-lazy');
  const script = new vm.Script(Module.wrap(source));
  v8.setFlagsFromString('--lazy');
  return script.createCachedData();
}

fs.mkdirSync(caches, { recursive: true });
// Made aside and moved into place whole.
const staging = fs.mkdtempSync(path.join(caches, 'new-'));
for (const name of names) {
  const source = fs.readFileSync(path.join(dist, name));
  fs.writeFileSync(path.join(staging, name), Buffer.concat([compile(source.toString()), source]));
}
fs.chmodSync(staging, 0o755);
fs.rmSync(cache, { recursive: true, force: true });
fs.renameSync(staging, cache);
