// `npm run demo`: from a certificate to an AWS caller, on this machine alone. Starts the emulator, writes an AWS profile
// with a credential_process line, and lets the real AWS clients find their credentials through it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';

const command = [process.execPath, join(import.meta.dirname, '..', 'bin', 'rolesanywhere.js')];

// Ctrl-C and its like end every step; the clean-up at the end of the file then runs as always.
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => interrupted.abort(signal));

// The user's own AWS settings and proxies have no say here.
for (const name of Object.keys(process.env)) {
  if (/^(AWS_|ROLESANYWHERE_)|_proxy$/i.test(name)) delete process.env[name];
}

const say = (what, detail) => process.stdout.write(`${what.padEnd(12)} ${detail}\n`);

/**
 * A word of a command line that both ways of running credential_process read alike: the SDKs hand the line to `sh`, the
 * AWS CLI splits it by Python's shlex.
 */
const quote = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/** Runs a command to its end and returns its stdout. */
const run = async ([file, ...words]) => {
  const child = spawn(file, words, { stdio: ['ignore', 'pipe', 'pipe'], signal: interrupted.signal });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${file} ended with ${code}: ${stderr.trim()}`);
  return stdout.trim();
};

/** Starts the emulator and waits for the line that says where it listens and whom it knows. */
const startEmulator = async (pkiDirectory) => {
  const [file, ...words] = [...command, 'emulator', '--pki', pkiDirectory];
  const child = spawn(file, words, { stdio: ['ignore', 'pipe', 'pipe'] });
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

const writeProfile = async (directory, emulator) => {
  const credentialProcess = [
    ...[...command, 'credential-process'],
    ...['--certificate', join(directory, 'leaf.pem'), '--private-key', join(directory, 'leaf.key')],
    ...['--trust-anchor-arn', emulator.trustAnchorArn, '--profile-arn', emulator.profileArn],
    ...['--role-arn', emulator.roleArn, '--endpoint', emulator.endpoint],
  ];
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

const demo = async (directory, emulator) => {
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

  const cliVersion = await run(['aws', '--version']).catch(() => undefined);
  interrupted.signal.throwIfAborted();
  if (cliVersion === undefined) {
    say('AWS CLI', 'is not installed: left out');
  } else {
    arns.push(await callByCli(emulator.endpoint));
    say('AWS CLI', `sts get-caller-identity: ${arns[1]}`);
  }

  const refused = emulator.requests.filter(({ ok }) => !ok);
  if (refused.length > 0) throw new Error(`the emulator refused: ${JSON.stringify(refused)}`);
  say('emulator', `verified the signatures of ${emulator.requests.length} requests`);

  const role = emulator.roleArn.split('/').at(-1);
  if (!arns.every((arn) => arn?.includes(`:assumed-role/${role}/`))) {
    throw new Error(`not the role that was asked for, ${emulator.roleArn}`);
  }
  say('done', `you are ${arns[0]}`);
};

const directory = await mkdtemp(join(tmpdir(), 'rolesanywhere demo '));
let emulator;
try {
  emulator = await startEmulator(directory);
  await demo(directory, emulator);
} catch (error) {
  process.exitCode = 1;
  process.stderr.write(`demo: ${interrupted.signal.aborted ? 'interrupted' : error.message}\n`);
} finally {
  await emulator?.close();
  await rm(directory, { recursive: true, force: true });
}
