// The least that any credential helper in Node.js must do: read a key, sign once, make one TLS POST, print the answer.
// Nothing is parsed, checked or retried. Arguments: endpoint, key file, CA file.
'use strict';
const { createSign } = require('node:crypto');
const { readFileSync, writeSync } = require('node:fs');
const { request } = require('node:https');

const [endpoint, keyFile, caFile] = process.argv.slice(2);
const signature = createSign('SHA256').update('string to sign').sign(readFileSync(keyFile), 'hex');
const body = '{"durationSeconds":3600}';

const outgoing = request(`${endpoint}/sessions`, {
  method: 'POST',
  agent: false,
  ca: readFileSync(caFile),
  headers: { authorization: signature, 'content-type': 'application/json', 'content-length': body.length },
});
outgoing.on('response', (answer) => {
  let text = '';
  answer.setEncoding('utf8').on('data', (part) => (text += part));
  answer.on('end', () => {
    const { credentials } = JSON.parse(text).credentialSet[0];
    writeSync(1, `${JSON.stringify({ Version: 1, AccessKeyId: credentials.accessKeyId })}\n`);
    process.exit();
  });
});
outgoing.end(body);
