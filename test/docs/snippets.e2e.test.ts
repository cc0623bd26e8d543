import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { transform } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { commandFile } from '../support/emulator-process.ts';
import { freePort } from '../support/free-port.ts';
import { issue, makeAuthority } from '../support/pki.ts';
import { requirePart } from '../support/system-parts.ts';

const run = promisify(execFile);

const blocks = async (page: string, language: string): Promise<string[]> => {
  const text = await readFile(page, 'utf8');
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, tag]) => tag === language)
    .map(([, , block = '']) => block);
};

describe('what the pages show works as it stands', () => {
  let directory: string;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    // Within the package, so that it finds itself by its name.
    await mkdir('.cache', { recursive: true });
    directory = await mkdtemp(resolve('.cache', 'snippets '));
    const bin = join(directory, 'bin');
    await mkdir(bin);
    await symlink(commandFile, join(bin, 'rolesanywhere'));
    await symlink(process.execPath, join(bin, 'node'));
    env = { PATH: `${bin}:/usr/bin:/bin`, HOME: directory };
  });

  afterAll(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  it('docs/testing-with-the-emulator.md, on the command line', async () => {
    const port = String(await freePort());
    const [start = '', open = '', identity = '', redshift = ''] = (
      await blocks('docs/testing-with-the-emulator.md', 'sh')
    ).map((block) => block.replaceAll('9912', port));
    const shell = requirePart('bash');
    const emulator = spawn(shell, ['-euc', `exec ${start}`], { cwd: directory, env });
    try {
      const [line] = (await once(createInterface(emulator.stdout), 'line')) as [string];
      const [shown = ''] = await blocks('docs/testing-with-the-emulator.md', 'json');
      expect(JSON.parse(line)).toEqual(JSON.parse(shown.replaceAll('9912', port)));

      const { stdout } = await run(shell, ['-euc', open], { cwd: directory, env });
      expect(JSON.parse(stdout)).toMatchObject({ Version: 1 });

      const credentialProcess = open.replaceAll('\\\n', ' ').trim().replace(/pki\//g, `'${directory}'/pki/`);
      await mkdir(join(directory, '.aws'));
      await writeFile(
        join(directory, '.aws', 'config'),
        `[profile backup]\nregion = us-east-1\ncredential_process = ${credentialProcess}\n`,
      );
      const withAws = { ...env, PATH: `${requirePart('aws').replace(/aws$/, '')}:${env['PATH'] ?? ''}` };
      const caller = await run(shell, ['-euc', identity], { cwd: directory, env: withAws });
      expect(caller.stdout).toContain(':assumed-role/emulator/');

      const database = await run(shell, ['-euc', redshift], { cwd: directory, env: withAws });
      expect(database.stdout).toMatch(/"IAMA:etl".*"IAMR:emulator"/s);
    } finally {
      emulator.kill();
      await once(emulator, 'close');
    }
  });

  it.each(['files', 'pkcs12'])('docs/keys/%s.md', async (name) => {
    const folder = join(directory, name);
    await mkdir(folder);
    const { certificatePem, privateKeyPem } = issue(makeAuthority());
    await writeFile(join(folder, 'leaf.pem'), certificatePem);
    await writeFile(join(folder, 'leaf.key'), privateKeyPem);
    const script = (await blocks(`docs/keys/${name}.md`, 'sh')).join('');
    const { stdout } = await run(requirePart('bash'), ['-euc', script], { cwd: folder, env });
    expect(stdout).toMatch(/[0-9a-f]{136,}$/);
  });

  it('the library, in the README and docs/testing-with-the-emulator.md', async () => {
    const [start = ''] = await blocks('docs/testing-with-the-emulator.md', 'ts');
    const [open = ''] = await blocks('README.md', 'ts');
    // The two together are a program: the emulator's ARNs and files are what the README's lines need.
    const program = `${start}
const { endpoint, trustAnchorArn, profileArn, roleArn } = emulator;
${open.replaceAll("'leaf.", "'pki/leaf.").replace('prepareSession({ ', 'prepareSession({ endpoint, ')}
console.log(credentials.accessKeyId);
`;
    const file = join(directory, 'program.ts');
    await writeFile(
      file,
      `${program}export type * from 'rolesanywhere';\nexport type * from 'rolesanywhere/emulator';\n`,
    );
    const options = [
      '--noEmit',
      // Without skipLibCheck and the DOM: our declarations must need neither.
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--types',
      'node',
    ];
    await run(process.execPath, [
      ...[resolve('node_modules/typescript/bin/tsc'), ...options],
      ...['--lib', 'es2023,esnext.disposable', '--ignoreConfig', file],
    ]);

    // `await using` is newer than the oldest Node.js.
    const { code } = await transform(program, { loader: 'ts', format: 'esm', target: 'node20' });
    await writeFile(join(directory, 'program.mjs'), code);
    const { stdout } = await run(process.execPath, ['program.mjs'], { cwd: directory, env });
    expect(stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+ .*\nASIA\w+\n$/);
  });
});
