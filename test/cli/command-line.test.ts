import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { choicesBehind, commandNames, commands, laterCommands } from '../../src/cli/options.ts';
import type { Command } from '../../src/cli/options.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { run, runProgram } from '../support/command.ts';
import { hostTarget } from '../../scripts/bun/runtime.mjs';
import bunPackages from '../../scripts/bun/package.json' with { type: 'json' };
import { commandFile, shellCommand } from '../support/emulator-process.ts';
import { testsExecutable } from '../support/executable.ts';
import { requirePart } from '../support/system-parts.ts';

const arns = ['--trust-anchor-arn', 'T', '--profile-arn', 'P', '--role-arn', 'R'];

/** Runs a line that must be refused with exit code 2: one error line, one hint line, nothing on stdout. */
async function refusal(...args: string[]): Promise<{ error: string; hint: string }> {
  const { code, stdout, stderr } = await run(args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  const match = /^rolesanywhere: error: (.+)\nrolesanywhere: hint: (.+)\n$/.exec(stderr);
  expect(match, stderr).not.toBeNull();
  const [, error = '', hint = ''] = match ?? [];
  expect(error).toMatch(/^[a-z-].*[^.]$/);
  return { error, hint };
}

describe('version', () => {
  const printed = (line: string) => ({ code: 0, signal: null, stdout: `${line}\n`, stderr: '' });

  it('prints the number alone', async () => {
    expect(await run(['version'])).toEqual(printed(packageJson.version));
  });

  it.each([[['--version']], [['-version']], [['version', '--verbose']]])(
    '%j says behind it what it was built for, and what it runs on',
    async (words) => {
      const bun = bunPackages.optionalDependencies['@oven/bun-linux-x64'];
      const runtime = testsExecutable ? `Bun ${bun}` : `Node.js ${process.versions.node}`;
      expect(await run(words, { node: process.execPath })).toEqual(
        printed(`${packageJson.version} (${hostTarget()}, ${runtime})`),
      );
    },
  );

  it('calls itself rolesanywhere under its other name too', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'rolesanywhere-name-'));
    try {
      const as = path.join(folder, 'aws_signing_helper');
      await symlink(commandFile, as);
      expect((await run(['version'], { as })).stdout).toBe(`${packageJson.version}\n`);
      expect((await run(['nonsense'], { as })).stderr).toMatch(/^rolesanywhere: error: /);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('help', () => {
  it.each([['--help'], ['-h'], ['help']])('%s lists the commands', async (word) => {
    const { code, stdout, stderr } = await run([word]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const { word } of choicesBehind(undefined)) expect(stdout).toContain(`rolesanywhere ${word} `);
  });

  it.each([
    ['redshift', '--help'],
    ['help', 'redshift'],
  ])('%s %s lists the commands of a group', async (...words) => {
    const { code, stdout, stderr } = await run(words);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const { topic } of choicesBehind('redshift')) expect(stdout).toContain(`rolesanywhere ${topic} `);
  });

  it.each(commandNames)(
    'of %s shows its options and examples in 80 columns, each way it is asked',
    async (name) => {
      const [one, ...others] = await Promise.all(
        [
          [...name.split(' '), '--help'],
          [...name.split(' '), '-h'],
          ['help', ...name.split(' ')],
          ['--help', ...name.split(' ')],
        ].map(async (args) => run(args)),
      );
      for (const other of others) expect(other).toEqual(one);
      const { code, stdout, stderr } = one ?? {};
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const { options }: Command = commands[name];
      for (const [option, { later }] of Object.entries(options)) {
        expect(stdout?.includes(`--${option} `)).toBe(later === undefined);
      }
      for (const [line] of commands[name].examples) {
        expect(stdout).toContain(`\n  ${line.replaceAll('\n', '\n  ')}\n`);
      }
      for (const line of stdout?.split('\n') ?? []) expect(line.length).toBeLessThanOrEqual(80);
    },
  );

  it.each(
    (['completion', 'version', 'help'] as const).flatMap(
      (name): Command['examples'] => commands[name].examples,
    ),
  )('gives an example that works: %s', async (line) => {
    const home = await mkdtemp(path.join(tmpdir(), 'rolesanywhere-home-'));
    await mkdir(path.join(home, '.config', 'fish', 'completions'), { recursive: true });
    try {
      const script = `set -eo pipefail; rolesanywhere() { ${shellCommand} "$@"; }\n${line}`;
      const env = { HOME: home };
      const outcome = await runProgram(requirePart('bash'), ['--norc', '-c', script], { env });
      expect(outcome).toMatchObject({ code: 0, stderr: '' });
    } finally {
      await rm(home, { recursive: true });
    }
  });

  it('is in English whatever the locale', async () => {
    const { stdout } = await run(['emulator', '--help'], { env: { LC_ALL: 'de_DE.UTF-8', LANGUAGE: 'de' } });
    expect(stdout).toContain('[default: 127.0.0.1]');
    expect((await run(['--help'], { env: { LANG: 'fr_FR.UTF-8' } })).stdout).toContain('Commands:');
  });

  it('of completion comes where the old helper has it too: without a shell, and of each shell', async () => {
    const asked = await run(['help', 'completion']);
    expect(asked).toMatchObject({ code: 0, stderr: '' });
    expect(await run(['completion'])).toEqual(asked);
    expect(await run(['help', 'completion', 'bash'])).toEqual(asked);
    await refusal('help', 'completion', 'tcsh');
    await refusal('help', 'version', 'bash');
  });

  it('is not wanted: --help=false', async () => {
    expect((await run(['version', '--help=false'])).stdout).toBe(`${packageJson.version}\n`);
    expect((await refusal('version', '--help=maybe')).error).toContain('either true or false');
  });

  it('goes to stderr, with exit code 2, when nothing is asked for', async () => {
    const { code, stdout, stderr } = await run([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('credential-process');
  });
});

describe('what is refused', () => {
  it('names every missing option at once', async () => {
    const { error } = await refusal('credential-process');
    for (const name of ['--trust-anchor-arn', '--profile-arn', '--role-arn']) expect(error).toContain(name);
  });

  it.each(['--trust-anchor-arn', '--profile-arn', '--role-arn'])('a line without %s', async (name) => {
    const at = arns.indexOf(name);
    const { error } = await refusal('credential-process', ...arns.slice(0, at), ...arns.slice(at + 2));
    expect(error.match(/--[a-z-]+/g)).toEqual([name]);
    expect((await refusal('credential-process', ...arns, `${name}=`)).error.match(/--[a-z-]+/g)).toEqual([
      name,
    ]);
  });

  it.each([
    ['--roleArn', '--role-arn'],
    ['--role_arn', '--role-arn'],
    ['-role', '--role-arn'],
    ['--roleSessionName', '--role-session-name'],
    ['--trust-anchor', '--trust-anchor-arn'],
    ['--cert', '--certificate'],
    ['--no-verify-tls', '--no-verify-ssl'],
  ])('%s, and suggests %s', async (written, meant) => {
    const { error, hint } = await refusal('credential-process', written, 'x', ...arns);
    expect(error).toContain(written);
    expect(hint).toContain(` ${meant}?`);
  });

  it.each(['--no-debug', '--xyzzy=1', '-d', '---debug', '--=x'])('the unknown option %s', async (word) => {
    expect((await refusal('credential-process', ...arns, word)).error).toContain(
      word.replace(/(?<=.)=\S*$/, ''),
    );
  });

  it.each([
    ['credential-process', 'stray'],
    ['credential-process', '--', '--debug'],
    ['credential-process', '--debug', 'false'],
    ['credential-process', '—-debug'],
    ['version', 'stray'],
    ['completion', 'bash', 'stray'],
    ['help', 'version', 'stray'],
    ['emulator', 'stray'],
  ])('a stray word: %s %s', async (...args) => {
    const stray = args.at(-1) ?? '';
    const more = args[0] === 'credential-process' ? arns : [];
    const [name = '', ...rest] = args;
    expect((await refusal(name, ...more, ...rest)).error).toContain(stray);
  });

  it.each(['region', '—region', '–-region=x'])('the word %s, and suggests --region', async (word) => {
    expect((await refusal('credential-process', ...arns, word, 'x')).hint).toContain('--region?');
  });

  it.each([
    ['credential-proces', 'credential-process'],
    ['credentials-process', 'credential-process'],
    ['emulate', 'emulator'],
  ])('the command %s, and suggests %s', async (written, meant) => {
    expect((await refusal(written, ...arns)).hint).toContain(` ${meant}?`);
    expect((await refusal('help', written)).hint).toContain(` ${meant}?`);
  });

  it.each(laterCommands)('the command %s, which is to come', async (name) => {
    expect((await refusal(name, '--certificate', 'x')).error).toContain('not in this version');
    expect((await refusal(name, '--help')).error).toContain('not in this version');
  });

  it.each([['--debug'], ['--region', 'x'], ['-'], [''], ['--version', '--debug']])(
    'a line without a command: %s',
    async (...args) => {
      await refusal(...args);
    },
  );

  it.each(['--certificate', '--role-arn', '-region'])(
    'an option whose value is missing: %s',
    async (name) => {
      const rest = arns.flatMap((word, i) => (i % 2 === 0 && word !== name ? [word, arns[i + 1] ?? ''] : []));
      expect((await refusal('credential-process', ...rest, name)).error).toContain(
        name.replace(/^-(?!-)/, '--'),
      );
    },
  );

  it('a flag that is neither on nor off', async () => {
    const { error, hint } = await refusal('credential-process', ...arns, '--debug=maybe');
    expect(error).toContain('--debug');
    expect(hint).toContain('--debug=false');
  });

  it.each([
    ['serve', 'bind'],
    ['serve', 'container-token-file'],
    ['credential-process', 'session-duration'],
    ['credential-process', 'instance-property'],
    ['credential-process', 'cert-selector'],
    ['update', 'profile'],
    ['redshift url', 'role-arn'],
  ])('%s with an empty --%s', async (command, name) => {
    for (const words of [[`--${name}`, ''], [`--${name}=`], [`--${name}=`, `--${name}=x=1`]]) {
      const { error, hint } = await refusal(...command.split(' '), ...arns, ...words);
      expect(error).toContain(`--${name} is empty`);
      expect(hint).toContain('leave it out');
    }
  });

  it('options that contradict each other', async () => {
    const { error } = await refusal('credential-process', ...arns, '--with-proxy', '--no-proxy');
    expect(error).toContain('--with-proxy');
    expect(error).toContain('--no-proxy');
  });

  it.each(['tcsh', '', 'BASH'])('a completion for %j', async (shell) => {
    expect((await refusal('completion', shell)).error).toContain('shell');
  });

  it('--system-store-name, which is to come', async () => {
    const { code, stdout, stderr } = await run(['credential-process', ...arns, '--system-store-name=MY']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('--system-store-name is not in this version');
  });

  it('and repeats no secret that lost its quotes', async () => {
    const key = '-----BEGIN PRIVATE KEY-----\nMIIcanary\n-----END PRIVATE KEY-----';
    const secrets = [
      ['--pkcs8-password', 'one', 'canary'],
      ['--tpm-key-password=one', 'canary'],
      [key],
      ['--', key],
      ['--passwrd=canary'],
      ['--certificate', 'x', `${'A'.repeat(60)}canary`],
    ];
    for (const words of secrets) {
      const { error, hint } = await refusal('credential-process', ...arns, ...words);
      expect(error + hint).not.toContain('canary');
    }
    expect(Object.values(await refusal(key)).join('')).not.toContain('canary');
  });

  it('and repeats no control character', async () => {
    const { error } = await refusal('credential-process', ...arns, '\u001b[31mred');
    expect(error).toContain('\\u001b[31mred');
  });
});
