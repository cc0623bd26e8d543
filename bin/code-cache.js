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
const cache = path.join(dist, 'code-cache', `${process.version}-${process.arch}`);

/** V8's code for all functions of a script, with the flags that a command will run with. */
function compile(source) {
  v8.setFlagsFromString('--no-lazy');
  const script = new vm.Script(Module.wrap(source));
  v8.setFlagsFromString('--lazy');
  return script.createCachedData();
}

/** Whole or not at all, whoever else is at it; and on the disk before it has its name: V8 runs what is damaged. */
function place(file, bytes) {
  const fresh = `${file}.${process.pid}`;
  try {
    fs.writeFileSync(fresh, bytes, { flush: true });
    fs.renameSync(fresh, file);
  } finally {
    fs.rmSync(fresh, { force: true });
  }
}

// For all who may run the program.
process.umask(0o022);
try {
  const entries = names.map((name) => {
    const source = fs.readFileSync(path.join(dist, name));
    return { name, bytes: Buffer.concat([compile(source.toString()), source]) };
  });
  fs.mkdirSync(cache, { recursive: true });
  for (const { name, bytes } of entries) place(path.join(cache, name), bytes);
} catch (error) {
  console.error(`rolesanywhere: error: ${error.message}`);
  process.exitCode = 1;
}
