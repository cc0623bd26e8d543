// What the timed processes talk to and with: a TLS server on loopback that gives one fixed answer at once, and the
// certificates for both sides.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { promisify } from 'node:util';

const rsa = ['-newkey', 'rsa:2048'];
const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

const account = 'us-east-1:123456789012';
const trustAnchorArn = `arn:aws:rolesanywhere:${account}:trust-anchor/00000000-0000-0000-0000-000000000001`;
const profileArn = `arn:aws:rolesanywhere:${account}:profile/00000000-0000-0000-0000-000000000002`;
const roleArn = 'arn:aws:iam::123456789012:role/bench';

/** The options of every command that opens a session, with the `rsa` or `ec` key in the directory. */
export const sessionWords = (directory, key, endpoint) => [
  ...['--endpoint', endpoint],
  ...['--certificate', join(directory, `${key}.pem`), '--private-key', join(directory, `${key}.key`)],
  ...['--trust-anchor-arn', trustAnchorArn, '--profile-arn', profileArn, '--role-arn', roleArn],
];

/** Writes ca.pem, and rsa.pem, rsa.key, ec.pem and ec.key, into the directory; returns the server's own. */
export const writeCertificates = async (directory) => {
  const inDirectory = (name) => join(directory, name);
  const make = (name, key, extensions, ...signedBy) =>
    promisify(execFile)('openssl', [
      ...['req', '-x509', '-sha256', '-nodes', '-days', '1', '-subj', `/CN=bench ${name}`, ...key],
      ...['-keyout', inDirectory(`${name}.key`), '-out', inDirectory(`${name}.pem`)],
      ...['-config', '/dev/null', ...extensions.flatMap((extension) => ['-addext', extension]), ...signedBy],
    ]);
  await make('ca', ec, ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign']);
  const leaf = (name, key) =>
    make(
      name,
      key,
      [
        'basicConstraints=critical,CA:FALSE',
        'keyUsage=critical,digitalSignature',
        'subjectAltName=IP:127.0.0.1',
      ],
      ...['-CA', inDirectory('ca.pem'), '-CAkey', inDirectory('ca.key')],
    );
  await Promise.all([leaf('server', ec), leaf('rsa', rsa), leaf('ec', ec)]);
  return { cert: await readFile(inDirectory('server.pem')), key: await readFile(inDirectory('server.key')) };
};

/** Starts the server; it answers every POST with the same credentials, and counts them. */
export const startService = async (tls) => {
  const answer = JSON.stringify({
    credentialSet: [
      {
        assumedRoleUser: {
          arn: 'arn:aws:sts::123456789012:assumed-role/bench/session',
          assumedRoleId: 'AROAEXAMPLE:session',
        },
        credentials: {
          accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
          secretAccessKey: 'not-a-secret',
          sessionToken: 'token'.repeat(150),
          expiration: new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+/, ''),
        },
        packedPolicySize: 1,
        roleArn,
        sourceIdentity: 'CN=bench',
      },
    ],
    subjectArn: 'arn:aws:rolesanywhere:us-east-1:123456789012:subject/00000000-0000-0000-0000-000000000000',
  });
  let requests = 0;
  const server = createServer(tls, (request, response) => {
    requests++;
    request.resume().on('end', () => {
      response.writeHead(201, { 'content-type': 'application/json' }).end(answer);
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    endpoint: `https://127.0.0.1:${server.address().port}`,
    requests: () => requests,
    close: () => server.close(),
  };
};
