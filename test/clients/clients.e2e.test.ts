import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { commandFile, sessionWords, startEmulatorProcess } from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { requirePart } from '../support/system-parts.ts';

const run = promisify(execFile);

// The clients find their credentials through a credential_process line alone. The AWS CLI and boto3 split that line
// by Python's shlex, the SDK for JavaScript hands it to sh; every path in it has a space.
describe('real clients, through credential_process', () => {
  let directory: string;
  let emulator: EmulatorProcess;
  let arn: string;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'real clients '));
    emulator = await startEmulatorProcess(['--pki', directory]);
    const [certificate, key] = [join(directory, 'leaf.pem'), join(directory, 'leaf.key')];
    const { serialNumber } = new X509Certificate(await readFile(certificate));
    arn = `arn:aws:sts::123456789012:assumed-role/emulator/${serialNumber.toLowerCase()}`;

    // As npm links it; the drop-in name.
    const command = join(directory, 'aws_signing_helper');
    await symlink(commandFile, command);
    const words = [command, ...sessionWords(emulator, { certificate, key })];
    const line = (quote: string): string =>
      `credential_process = ${words.map((word) => (word.includes(' ') ? quote + word + quote : word)).join(' ')}`;
    const config = join(directory, 'config');
    await writeFile(
      config,
      `[profile double]\nregion = us-east-1\n${line('"')}\n[profile single]\nregion = us-east-1\n${line("'")}\n`,
    );
    env = {
      PATH: process.env['PATH'],
      HOME: directory,
      AWS_CONFIG_FILE: config,
      AWS_SHARED_CREDENTIALS_FILE: join(directory, 'credentials'),
      AWS_EC2_METADATA_DISABLED: 'true',
    };
  });

  afterAll(async () => {
    await emulator.close();
    await rm(directory, { recursive: true, force: true });
  });

  describe.each(['double', 'single'])('with %s quotes around its words', (profile) => {
    it('the AWS CLI is the assumed role', async () => {
      const { stdout } = await run(
        requirePart('aws'),
        ['sts', 'get-caller-identity', '--profile', profile, '--endpoint-url', emulator.endpoint],
        { env },
      );
      expect(JSON.parse(stdout)).toMatchObject({ Account: '123456789012', Arn: arn });
    });

    it('boto3 is the assumed role', async () => {
      const script = `
import boto3, sys
client = boto3.Session(profile_name=sys.argv[1]).client('sts', endpoint_url=sys.argv[2])
print(client.get_caller_identity()['Arn'])`;
      const { stdout } = await run(requirePart('boto3'), ['-c', script, profile, emulator.endpoint], { env });
      expect(stdout.trim()).toBe(arn);
    });

    it('the AWS SDK for JavaScript v3 is the assumed role', async () => {
      const script = `
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
const [profile, endpoint] = process.argv.slice(1);
const client = new STSClient({ profile, endpoint });
console.log((await client.send(new GetCallerIdentityCommand())).Arn);`;
      const { stdout } = await run(
        process.execPath,
        ['--input-type=module', '-e', script, profile, emulator.endpoint],
        { env },
      );
      expect(stdout.trim()).toBe(arn);
    });
  });

  describe('Redshift', () => {
    const aws = async (...words: string[]): Promise<unknown> => {
      const { stdout } = await run(
        requirePart('aws'),
        [...words, '--profile', 'double', '--endpoint-url', emulator.endpoint],
        { env },
      );
      return JSON.parse(stdout);
    };
    const password = expect.stringContaining(`+/=@:&%2B;{}'"\\ `) as string;

    it('the AWS CLI gets credentials of a cluster, for a user and groups', async () => {
      const words = [
        '--cluster-identifier',
        'sales',
        '--db-user',
        'etl',
        '--db-name',
        'dev',
        '--auto-create',
      ];
      const groups = ['--db-groups', 'readers', 'writers', '--duration-seconds', '3600'];
      expect(await aws('redshift', 'get-cluster-credentials', ...words, ...groups)).toMatchObject({
        DbUser: 'IAMA:etl',
        DbPassword: password,
        Expiration: expect.stringMatching(/^20/) as string,
      });
    });

    it('the AWS CLI gets credentials of a cluster, for its role', async () => {
      expect(
        await aws('redshift', 'get-cluster-credentials-with-iam', '--cluster-identifier', 'sales'),
      ).toMatchObject({
        DbUser: 'IAMR:emulator',
        DbPassword: password,
        NextRefreshTime: expect.stringMatching(/^20/) as string,
      });
    });

    it('the AWS CLI is told where a cluster and a workgroup are', async () => {
      expect(await aws('redshift', 'describe-clusters', '--cluster-identifier', 'sales')).toMatchObject({
        Clusters: [{ ClusterIdentifier: 'sales', Endpoint: { Address: 'localhost', Port: 5439 } }],
      });
      expect(await aws('redshift-serverless', 'get-workgroup', '--workgroup-name', 'sales')).toMatchObject({
        workgroup: { workgroupName: 'sales', endpoint: { address: 'localhost', port: 5439 } },
      });
    });

    it('the AWS CLI gets credentials of a workgroup', async () => {
      const words = ['--workgroup-name', 'sales', '--db-name', 'dev', '--duration-seconds', '900'];
      expect(await aws('redshift-serverless', 'get-credentials', ...words)).toMatchObject({
        dbUser: 'IAMR:emulator',
        dbPassword: password,
        expiration: expect.stringMatching(/^20/) as string,
      });
    });

    it.each([
      ['ClusterNotFound', 'redshift get-cluster-credentials --db-user etl --cluster-identifier missing'],
      [
        'InvalidParameterValue',
        'redshift get-cluster-credentials --db-user table --cluster-identifier sales',
      ],
      ['ResourceNotFoundException', 'redshift-serverless get-credentials --workgroup-name missing'],
      ['ValidationException', 'redshift-serverless get-credentials --workgroup-name sales --db-name table'],
    ])('the AWS CLI understands the refusal %s', async (code, line) => {
      await expect(aws(...line.split(' '))).rejects.toMatchObject({
        stderr: expect.stringContaining(`(${code})`) as string,
      });
    });
  });

  it('a refusal reaches the user through the AWS CLI, in words', async () => {
    const config = join(directory, 'refused');
    const refused = (await readFile(env['AWS_CONFIG_FILE'] ?? '', 'utf8')).replaceAll(
      ':role/emulator',
      ':role/outside',
    );
    await writeFile(config, refused);
    const failure: unknown = await run(
      requirePart('aws'),
      ['sts', 'get-caller-identity', '--profile', 'double', '--endpoint-url', emulator.endpoint],
      { env: { ...env, AWS_CONFIG_FILE: config } },
    ).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 255,
      stderr: expect.stringContaining('AccessDenied') as string,
    });
  });
});
