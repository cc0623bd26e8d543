// `npm run demo`: from a certificate to an AWS caller and on to a database, on this machine alone. Starts the emulator,
// writes an AWS profile with a credential_process line, and lets the real AWS clients find their credentials through it;
// then, where PostgreSQL is installed, starts one to play the Redshift cluster, and logs in to it by psql.
//
//   npm run demo [-- FILE]     with the command that is this file: the standalone executable, an installed one
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { findPrograms, startServer } from './postgres.mjs';

const [file] = process.argv.slice(2);
const command =
  file === undefined
    ? [process.execPath, join(import.meta.dirname, '..', 'bin', 'rolesanywhere.js')]
    : [resolve(file)];

// Ctrl-C and its like end every step; the clean-up at the end of the file then runs as always.
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => interrupted.abort(signal));

// The user's own settings of AWS, proxies and PostgreSQL have no say here.
for (const name of Object.keys(process.env)) {
  if (/^(AWS_|ROLESANYWHERE_|PG[A-Z])|_proxy$/i.test(name)) delete process.env[name];
}

const say = (what, detail) => process.stdout.write(`${what.padEnd(12)} ${detail}\n`);

/**
 * A word of a command line that both ways of running credential_process read alike: the SDKs hand the line to `sh`, the
 * AWS CLI splits it by Python's shlex.
 */
const quote = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/** Runs a command to its end and returns its stdout. */
const run = async ([file, ...words], env = {}) => {
  const child = spawn(file, words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    signal: interrupted.signal,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${file} ended with ${code}: ${stderr.trim()}`);
  return stdout.trim();
};

/** Whether a program is installed. */
const isThere = async (program, option = '--version') => {
  const version = await run([program, option]).catch(() => undefined);
  interrupted.signal.throwIfAborted();
  return version !== undefined;
};

/** A PostgreSQL server with a certificate of its own for `localhost`; undefined where this machine has none. */
const startDatabase = async (directory) => {
  const programs = findPrograms();
  if (programs === undefined || !(await isThere('psql')) || !(await isThere('openssl', 'version')))
    return undefined;
  const [certificate, key] = [join(directory, 'database.pem'), join(directory, 'database.key')];
  await run([
    ...['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc'],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '1'],
    ...['-keyout', key, '-out', certificate],
  ]);
  // As root, the server runs as somebody else, who has to pass here.
  await chmod(directory, 0o711);
  const password = randomBytes(16).toString('hex');
  const { port, stop } = await startServer({
    programs,
    data: join(directory, 'database'),
    database: 'dev',
    administrator: { user: 'admin', password },
    certificate: await readFile(certificate, 'utf8'),
    key: await readFile(key, 'utf8'),
  });
  const tls = `sslmode=verify-full&sslrootcert=${encodeURIComponent(certificate)}`;
  return { port, stop, password, certificate, url: `postgresql://admin@localhost:${port}/dev?${tls}` };
};

/** Starts the emulator and waits for the line that says where it listens and whom it knows. */
const startEmulator = async (pkiDirectory, database) => {
  const [file, ...words] = [...command, 'emulator', '--pki', pkiDirectory];
  if (database !== undefined) words.push('--postgres-url', database.url);
  // No password on a command line, where others can see it.
  const env = { ...process.env, PGPASSWORD: database?.password };
  const child = spawn(file, words, { stdio: ['ignore', 'pipe', 'pipe'], env });
  const requests = [];
  let stderr = '';
  createInterface(child.stderr).on('line', (line) => {
    stderr += `${line}\n`;
    if (line.startsWith('{')) requests.push(JSON.parse(line));
  });
  const ended = once(child, 'close');
  const firstLine = once(createInterface(child.stdout), 'line', { signal: interrupted.signal });
  const close = async () => {
    child.kill();
    await ended;
  };
  try {
    const line = await Promise.race([firstLine, ended.then(() => undefined)]);
    if (line === undefined) throw new Error(`the emulator did not start: ${stderr.trim()}`);
    return { ...JSON.parse(line[0]), requests, close };
  } catch (error) {
    await close();
    throw error;
  }
};

/** What opens a session. */
const sessionWords = (directory, emulator) => [
  ...['--certificate', join(directory, 'leaf.pem'), '--private-key', join(directory, 'leaf.key')],
  ...['--trust-anchor-arn', emulator.trustAnchorArn, '--profile-arn', emulator.profileArn],
  ...['--role-arn', emulator.roleArn, '--endpoint', emulator.endpoint],
];

const writeProfile = async (directory, emulator) => {
  const credentialProcess = [...command, 'credential-process', ...sessionWords(directory, emulator)];
  const file = join(directory, 'config');
  const line = `credential_process = ${credentialProcess.map(quote).join(' ')}`;
  await writeFile(file, `[profile demo]\nregion = us-east-1\n${line}\n`);
  return file;
};

const callBySdk = async (endpoint) => {
  const { GetCallerIdentityCommand, STSClient } = await import('@aws-sdk/client-sts');
  const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers');
  const client = new STSClient({ endpoint, credentials: fromNodeProviderChain({ profile: 'demo' }) });
  const { Arn } = await client.send(new GetCallerIdentityCommand(), { abortSignal: interrupted.signal });
  return Arn;
};

const callByCli = (endpoint) =>
  run([
    'aws',
    'sts',
    'get-caller-identity',
    '--endpoint-url',
    endpoint,
    '--query',
    'Arn',
    '--output',
    'text',
  ]);

/** The database user, as the database knows it. */
const logIn = (directory, emulator, database) =>
  run(
    [
      ...[...command, 'redshift', 'exec', ...sessionWords(directory, emulator), '--no-cache'],
      ...[
        '--cluster',
        'demo',
        '--db-user',
        'analyst',
        '--auto-create',
        '--sslrootcert',
        database.certificate,
      ],
      ...['--', 'psql', '--no-psqlrc', '--no-align', '--tuples-only', '--command', 'select current_user'],
    ],
    { AWS_ENDPOINT_URL_REDSHIFT: emulator.endpoint },
  );

const demo = async (directory, emulator, database) => {
  say('command', `rolesanywhere ${await run([...command, '--version'])}`);
  say('emulator', `a local Roles Anywhere with a throw-away authority, at ${emulator.endpoint}`);

  const config = await writeProfile(directory, emulator);
  say(
    'profile',
    `[profile demo] in ${config}, with the line\n${(await readFile(config, 'utf8')).split('\n')[2]}`,
  );
  Object.assign(process.env, {
    AWS_CONFIG_FILE: config,
    AWS_SHARED_CREDENTIALS_FILE: join(directory, 'credentials'),
    AWS_PROFILE: 'demo',
    AWS_REGION: 'us-east-1',
    AWS_PAGER: '',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    AWS_EC2_METADATA_DISABLED: 'true',
  });

  const arns = [await callBySdk(emulator.endpoint)];
  say('SDK for JS', `sts get-caller-identity: ${arns[0]}`);

  if (!(await isThere('aws'))) {
    say('AWS CLI', 'is not installed: left out');
  } else {
    arns.push(await callByCli(emulator.endpoint));
    say('AWS CLI', `sts get-caller-identity: ${arns[1]}`);
  }

  let login;
  if (database === undefined) {
    say('database', 'PostgreSQL (with psql and openssl) is not installed: left out');
  } else {
    say('database', `PostgreSQL plays the Redshift cluster, at localhost port ${database.port}, TLS alone`);
    login = await logIn(directory, emulator, database);
    say('psql', `through redshift exec, select current_user: ${login}`);
  }

  const refused = emulator.requests.filter(({ ok }) => !ok);
  if (refused.length > 0) throw new Error(`the emulator refused: ${JSON.stringify(refused)}`);
  say('emulator', `verified the signatures of ${emulator.requests.length} requests`);

  const role = emulator.roleArn.split('/').at(-1);
  if (!arns.every((arn) => arn?.includes(`:assumed-role/${role}/`))) {
    throw new Error(`not the role that was asked for, ${emulator.roleArn}`);
  }
  if (database !== undefined && login !== 'IAMA:analyst') {
    throw new Error(`not the database user that was asked for, analyst: ${login}`);
  }
  say('done', `you are ${arns[0]}`);
};

const directory = await mkdtemp(join(tmpdir(), 'rolesanywhere demo '));
let emulator;
let database;
try {
  database = await startDatabase(directory);
  emulator = await startEmulator(directory, database);
  await demo(directory, emulator, database);
} catch (error) {
  process.exitCode = 1;
  process.stderr.write(`demo: ${interrupted.signal.aborted ? 'interrupted' : error.message}\n`);
} finally {
  await emulator?.close();
  await database?.stop();
  await rm(directory, { recursive: true, force: true });
}
