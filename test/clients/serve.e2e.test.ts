import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { sessionWords, startEmulatorProcess } from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { startServe } from '../support/serve-process.ts';
import type { ServeProcess } from '../support/serve-process.ts';
import { requirePart } from '../support/system-parts.ts';

const run = promisify(execFile);

const clients = {
  'the AWS CLI': (endpoint: string) =>
    [requirePart('aws'), 'sts', 'get-caller-identity', '--endpoint-url', endpoint] as const,
  boto3: (endpoint: string) =>
    [
      requirePart('boto3'),
      '-c',
      `
import boto3, sys
print(boto3.client('sts', endpoint_url=sys.argv[1]).get_caller_identity()['Arn'])`,
      endpoint,
    ] as const,
  'the AWS SDK for JavaScript v3': (endpoint: string) =>
    [
      process.execPath,
      '--input-type=module',
      '-e',
      `
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
const client = new STSClient({ endpoint: process.argv[1] });
console.log((await client.send(new GetCallerIdentityCommand())).Arn);`,
      endpoint,
    ] as const,
};

// The clients find their credentials by what serve printed alone; the emulator's STS verifies what they sign.
describe('real clients, through serve', () => {
  let directory: string;
  let emulator: EmulatorProcess;
  let serve: ServeProcess;
  let token: string;
  let arn: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'serve clients '));
    emulator = await startEmulatorProcess(['--pki', directory]);
    const [certificate, key] = [join(directory, 'leaf.pem'), join(directory, 'leaf.key')];
    const { serialNumber } = new X509Certificate(await readFile(certificate));
    arn = `arn:aws:sts::123456789012:assumed-role/emulator/${serialNumber.toLowerCase()}`;
    token = join(directory, 'token');
    serve = await startServe([
      ...sessionWords(emulator, { certificate, key }).slice(1),
      ...['--port', '0', '--container-token-file', token],
    ]);
  });

  afterAll(async () => {
    await serve[Symbol.asyncDispose]();
    await emulator.close();
    await rm(directory, { recursive: true, force: true });
  });

  const faces: Readonly<Record<string, () => Promise<Record<string, string>>>> = {
    'IMDS, with a slash at its end': () =>
      Promise.resolve({ AWS_EC2_METADATA_SERVICE_ENDPOINT: `${serve.name}/` }),
    'IMDS, without one': () => Promise.resolve({ AWS_EC2_METADATA_SERVICE_ENDPOINT: serve.name }),
    "the container's token file": () =>
      Promise.resolve({
        AWS_CONTAINER_CREDENTIALS_FULL_URI: serve.exports['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '',
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: token,
      }),
    "the container's token": async () => ({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: serve.exports['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '',
      AWS_CONTAINER_AUTHORIZATION_TOKEN: await readFile(token, 'utf8'),
    }),
  };

  const askThrough = async (
    face: string,
    client: keyof typeof clients,
  ): Promise<{ stdout: string; stderr: string }> => {
    const [program, ...words] = clients[client](emulator.endpoint);
    const env = {
      PATH: process.env['PATH'],
      HOME: directory,
      AWS_REGION: 'us-east-1',
      AWS_DEFAULT_REGION: 'us-east-1',
      ...(await faces[face]?.()),
    };
    return run(program, words, { env });
  };

  // The pages say so: Debian's AWS CLI 2.9 joins endpoint and path without a slash, and it and Debian's boto3 know no
  // token file.
  const lacking = [
    'the AWS CLI: IMDS, without one',
    "the AWS CLI: the container's token file",
    "boto3: the container's token file",
  ];
  const able = Object.keys(faces)
    .flatMap((face) => Object.keys(clients).map((client) => [client as keyof typeof clients, face] as const))
    .filter(([client, face]) => !lacking.includes(`${client}: ${face}`));

  it.each(able)('%s is the assumed role by %s', async (client, face) => {
    expect((await askThrough(face, client)).stdout).toContain(arn);
  });
});
