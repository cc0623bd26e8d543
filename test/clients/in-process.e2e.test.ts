import { execFile } from 'node:child_process';
import { createPrivateKey, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { fromRolesAnywhere } from '../../src/index.ts';
import { startEmulatorProcess } from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { writePki } from '../support/pki-files.ts';
import type { PkiFiles } from '../support/pki-files.ts';
import { runtimes } from '../support/runtimes/runtimes.mjs';
import { startS3Service } from '../support/s3-service.ts';

const run = promisify(execFile);

let directory: string;
let pki: PkiFiles;
let emulator: EmulatorProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'in process '));
  pki = await writePki(directory);
  // As the examples name them.
  await cp(pki.ec.certificate, join(directory, 'leaf.pem'));
  await cp(pki.ec.key, join(directory, 'leaf.key'));
  emulator = await startEmulatorProcess(['--trust-anchor', pki.ca]);
});

afterAll(async () => {
  await emulator.close();
  await rm(directory, { recursive: true, force: true });
});

/** Runs a file as an example's reader would, in the folder with the certificate. */
const example = async (file: string, env: Readonly<Record<string, string>>): Promise<string> => {
  const { stdout, stderr } = await run(process.execPath, [resolve(file)], {
    cwd: directory,
    env: {
      PATH: process.env['PATH'],
      HOME: directory,
      // The SDK warns of Node.js 20.
      NODE_NO_WARNINGS: '1',
      TRUST_ANCHOR_ARN: emulator.trustAnchorArn,
      PROFILE_ARN: emulator.profileArn,
      ROLE_ARN: emulator.roleArn,
      AWS_ENDPOINT_URL: emulator.endpoint,
      ...env,
    },
  });
  expect(stderr).toBe('');
  return stdout;
};

describe('docs/examples', () => {
  it('s3-client.mjs', async () => {
    await using s3 = await startS3Service(pki.ca, ['photos', 'backups']);
    expect(await example('docs/examples/s3-client.mjs', { AWS_ENDPOINT_URL: s3.endpoint })).toBe(
      'photos\nbackups\n',
    );
  });

  it('custom-signer.mjs', async () => {
    const key = createPrivateKey(await readFile(pki.ec.key));
    const asked: string[] = [];
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        asked.push(request.url ?? '');
        response.end(sign('SHA256', Buffer.concat(chunks), key));
      });
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as AddressInfo;
    try {
      const stdout = await example('docs/examples/custom-signer.mjs', {
        SIGNING_SERVICE: `http://127.0.0.1:${port}`,
      });
      expect(stdout).toMatch(/^arn:aws:sts::123456789012:assumed-role\/emulator\/\w+\n$/);
      expect(asked).toEqual(['/sign?digest=SHA256']);
    } finally {
      server.close();
    }
  });

  it('lambda.mjs: one session for all calls', async () => {
    const file = join(directory, 'calls.mjs');
    await writeFile(
      file,
      `import { handler } from ${JSON.stringify(resolve('docs/examples/lambda.mjs'))};
for (let call = 0; call < 3; call += 1) console.log((await handler()).arn);
console.log(new Set((await Promise.all([handler(), handler()])).map(({ arn }) => arn)).size);
`,
    );
    const before = await emulator.asked('CreateSession');
    const stdout = await example(file, {
      CERTIFICATE_PEM: await readFile(pki.ec.certificate, 'utf8'),
      PRIVATE_KEY_PEM: await readFile(pki.ec.key, 'utf8'),
    });
    expect(stdout).toMatch(/^(arn:aws:sts::123456789012:assumed-role\/emulator\/\w+\n)\1\1(?:1\n)$/);
    expect((await emulator.asked('CreateSession')) - before).toBe(1);
  });
});

describe('a client of the AWS SDK', () => {
  it('lives through three expirations without an error', async () => {
    const short = await startEmulatorProcess(['--trust-anchor', pki.ca, '--session-ttl', '3']);
    try {
      const { endpoint, trustAnchorArn, profileArn, roleArn } = short;
      await using credentials = fromRolesAnywhere({
        ...{ endpoint, trustAnchorArn, profileArn, roleArn },
        ...{ certificate: pki.ec.certificate, privateKey: pki.ec.key, proxy: 'none' },
      });
      // Another region than the trust anchor's: it must have no say in which service opens the session.
      const sts = new STSClient({ region: 'ap-southeast-2', endpoint, credentials, maxAttempts: 1 });
      const end = Date.now() + 11_000;
      let calls = 0;
      for (; Date.now() < end; calls += 1) {
        await sts.send(new GetCallerIdentityCommand());
        await sleep(200);
      }
      expect(calls).toBeGreaterThan(20);
      const sessions = await short.asked('CreateSession');
      expect(sessions).toBeGreaterThanOrEqual(4);
      expect(sessions).toBeLessThan(10);
      expect(await short.output()).not.toContain('"ok":false');
    } finally {
      await short.close();
    }
  });
});

describe('the packed package', () => {
  let consumer: string;

  beforeAll(async () => {
    consumer = join(directory, 'consumer');
    await mkdir(join(consumer, 'node_modules'), { recursive: true });
    const words = ['pack', '--ignore-scripts', '--json', '--pack-destination', directory];
    const { stdout } = await run('npm', words, { cwd: resolve('.') });
    const [report] = JSON.parse(stdout) as [{ filename: string }];
    await run('tar', ['-xzf', join(directory, report.filename)], { cwd: directory });
    await cp(join(directory, 'package'), join(consumer, 'node_modules', 'rolesanywhere'), {
      recursive: true,
    });
    const { endpoint, trustAnchorArn, profileArn, roleArn } = emulator;
    const options = JSON.stringify({
      ...{ endpoint, trustAnchorArn, profileArn, roleArn, proxy: 'none' },
      ...{ certificate: pki.rsa.certificate, privateKey: pki.rsa.key },
    });
    // Without an exit of its own: what it prints is also that nothing keeps it from ending.
    const program = `fromRolesAnywhere(${options})().then(({ accessKeyId, expiration, accountId }) => {
  console.log(accessKeyId.slice(0, 4), expiration > new Date(), accountId);
});\n`;
    await writeFile(
      join(consumer, 'required.cjs'),
      `const { fromRolesAnywhere } = require('rolesanywhere');\n${program}`,
    );
    await writeFile(
      join(consumer, 'imported.mjs'),
      `import { fromRolesAnywhere } from 'rolesanywhere';\n${program}`,
    );
  });

  // Node.js 20.19 requires ES modules too; those before did not, and are not supported.
  it.each(
    runtimes().flatMap(({ name, path }) =>
      ['required.cjs', 'imported.mjs'].map((file) => ({ name, path, file })),
    ),
  )('works on Node.js $name, $file', async ({ path, file }) => {
    const env = { PATH: process.env['PATH'] };
    const { stdout, stderr } = await run(path, [join(consumer, file)], { env, timeout: 10_000 });
    expect(stdout).toBe('ASIA true 123456789012\n');
    expect(stderr).toBe('');
  });

  it('is what strict programs may give to an SDK, and loads nothing of the command line', async () => {
    await writeFile(
      join(consumer, 'typed.mts'),
      `import { fromRolesAnywhere } from 'rolesanywhere';
import type { RolesAnywhereOptions, RolesAnywhereProvider } from 'rolesanywhere';

interface AwsCredentialIdentity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly credentialScope?: string;
  readonly accountId?: string;
  readonly expiration?: Date;
}
// @smithy/types
type AwsCredentialIdentityProvider = (identityProperties?: Record<string, any>) => Promise<AwsCredentialIdentity>;

const options: RolesAnywhereOptions = {
  trustAnchorArn: '', profileArn: '', roleArn: '',
  certificate: new Uint8Array(),
  signer: { keyType: 'ec', publicKey: new Uint8Array(), sign: async (message) => message },
  keyPassword: async () => 'open',
};
export const provider: RolesAnywhereProvider = fromRolesAnywhere(options);
export const sdk: AwsCredentialIdentityProvider = provider;
await provider({ forceRefresh: true });
await provider.close();
`,
    );
    const words = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--module', 'nodenext'];
    const types = [
      '--types',
      'node',
      '--typeRoots',
      resolve('node_modules/@types'),
      '--lib',
      'es2023,esnext.disposable',
    ];
    await run(
      process.execPath,
      [
        resolve('node_modules/typescript/bin/tsc'),
        ...words,
        ...types,
        '--target',
        'es2023',
        '--ignoreConfig',
        'typed.mts',
      ],
      { cwd: consumer },
    );
    const library = join(consumer, 'node_modules', 'rolesanywhere', 'dist', 'lib');
    await expect(readFile(join(library, 'cli', 'main.js'))).rejects.toThrow('ENOENT');
  });
});
