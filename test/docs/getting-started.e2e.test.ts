import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { commandFile, startEmulatorProcess } from '../support/emulator-process.ts';
import type { EmulatorProcess } from '../support/emulator-process.ts';
import { requirePart } from '../support/system-parts.ts';

// Runs the commands of docs/getting-started.md as they stand there, against the emulator and, for what only AWS can do,
// against a stand-in that records what the real AWS CLI asked for.
describe('docs/getting-started.md', () => {
  let directory: string;
  let emulator: EmulatorProcess;
  let sections: Map<string, string>;
  let stdout: string;
  const asked: { path: string; body: string }[] = [];

  const aws = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      asked.push({ path: request.url ?? '', body });
      const xml = (action: string, content: string): string =>
        `<${action}Response><${action}Result>${content}</${action}Result></${action}Response>`;
      const action = new URLSearchParams(body).get('Action');
      if (request.url === '/trustanchors') {
        response.end(JSON.stringify({ trustAnchor: { trustAnchorArn: emulator.trustAnchorArn } }));
      } else if (request.url === '/profiles') {
        response.end(JSON.stringify({ profile: { profileArn: emulator.profileArn } }));
      } else {
        response.end(
          xml(action ?? '', action === 'CreateRole' ? `<Role><Arn>${emulator.roleArn}</Arn></Role>` : ''),
        );
      }
    });
  });

  /** Runs the shell blocks of the sections one after the other, in one shell, as the page says it. */
  const runSections = async (env: NodeJS.ProcessEnv, ...titles: string[]): Promise<string> => {
    const blocks = titles.map((title) => sections.get(title) ?? `echo no section ${title} >&2; exit 1`);
    const { stdout } = await promisify(execFile)(requirePart('bash'), ['-euc', blocks.join('\n')], {
      cwd: directory,
      env: { PATH: `${join(directory, 'bin')}:/usr/bin:/bin`, HOME: directory, ...env },
    });
    return stdout;
  };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'getting started '));
    const page = await readFile('docs/getting-started.md', 'utf8');
    sections = new Map(
      page.split(/^## /m).map((section) => {
        const blocks = [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = '']) => text);
        return [section.slice(0, section.indexOf('\n')), blocks.join('')] as const;
      }),
    );
    // The page's aws finds its way to the stand-ins; its credentials for step 3 are of no interest here.
    await mkdir(join(directory, 'bin'));
    await symlink(commandFile, join(directory, 'bin', 'rolesanywhere'));
    await symlink(process.execPath, join(directory, 'bin', 'node'));
    await writeFile(
      join(directory, 'bin', 'aws'),
      `#!/bin/sh
case "$*" in
  *"--profile backup"*) exec '${requirePart('aws')}' --endpoint-url "$EMULATOR_ENDPOINT" "$@" ;;
esac
AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE AWS_SECRET_ACCESS_KEY=x AWS_REGION=us-east-1 \\
  exec '${requirePart('aws')}' --endpoint-url "$ADMINISTRATOR_ENDPOINT" "$@"
`,
    );
    await chmod(join(directory, 'bin', 'aws'), 0o755);
    requirePart('openssl');
    await runSections({}, '1. An authority', '2. A certificate for this machine');
    emulator = await startEmulatorProcess(['--trust-anchor', join(directory, 'ca.pem')]);
    await new Promise<void>((resolve) => aws.listen(0, '127.0.0.1', resolve));
    stdout = await runSections(
      {
        ADMINISTRATOR_ENDPOINT: `http://127.0.0.1:${(aws.address() as AddressInfo).port}`,
        EMULATOR_ENDPOINT: emulator.endpoint,
        AWS_ENDPOINT_URL_ROLESANYWHERE: emulator.endpoint,
      },
      '3. Trust anchor, role and profile',
      '4. Credentials',
      '5. The AWS CLI and every SDK',
    );
  });

  afterAll(async () => {
    aws.close();
    await emulator.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('its steps lead from nothing to the role, by the AWS CLI', () => {
    expect(stdout).toContain('"AccessKeyId":"ASIA');
    expect(stdout).toMatch(/"Arn": "arn:aws:sts::123456789012:assumed-role\/emulator\/[0-9a-f]{40}"/);
  });

  it('its administration asks AWS for the right things', async () => {
    const [trustAnchor, role, policy, profile] = asked;
    expect(trustAnchor?.path).toBe('/trustanchors');
    expect(JSON.parse(trustAnchor?.body ?? '')).toEqual({
      name: 'example',
      enabled: true,
      source: {
        sourceType: 'CERTIFICATE_BUNDLE',
        sourceData: { x509CertificateData: (await readFile(join(directory, 'ca.pem'), 'utf8')).trim() },
      },
    });
    const { AssumeRolePolicyDocument: document, ...createRole } = Object.fromEntries(
      new URLSearchParams(role?.body),
    );
    expect(createRole).toMatchObject({ Action: 'CreateRole', RoleName: 'backup' });
    expect(JSON.parse(document ?? '')).toEqual({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { Service: 'rolesanywhere.amazonaws.com' },
          Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
          Condition: {
            ArnEquals: { 'aws:SourceArn': emulator.trustAnchorArn },
            StringEquals: { 'aws:PrincipalTag/x509Subject/CN': 'backup.example.com' },
          },
        },
      ],
    });
    expect(Object.fromEntries(new URLSearchParams(policy?.body))).toMatchObject({
      Action: 'AttachRolePolicy',
      PolicyArn: 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess',
    });
    expect(JSON.parse(profile?.body ?? '')).toMatchObject({ enabled: true, roleArns: [emulator.roleArn] });
  });
});
