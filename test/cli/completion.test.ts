import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { choicesBehind, commands } from '../../src/cli/options.ts';
import { run, runProgram } from '../support/command.ts';
import { requirePart } from '../support/system-parts.ts';

let folder = '';
const scriptOf = (shell: string) => path.join(folder, `completion.${shell}`);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rolesanywhere-completion-'));
  await writeFile(path.join(folder, 'leaf one.pem'), '');
  for (const shell of ['bash', 'zsh', 'fish', 'powershell']) {
    const { code, stdout, stderr } = await run(['completion', shell]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    await writeFile(scriptOf(shell), stdout);
  }
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** What each shell offers behind a line; the cursor stands at its end. */
const shells: Readonly<Record<string, (line: string) => Promise<string[]>>> = {
  async bash(line) {
    // As readline calls it: the words divided at = too, and the script's own registration.
    const script = `
      source ${scriptOf('bash')}
      read -ra COMP_WORDS <<< "\${1//=/ = }"
      [[ $1 == *[\\ =] ]] && COMP_WORDS+=("")
      COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
      [[ $(complete -p "\${COMP_WORDS[0]}") =~ -F\\ ([a-z_]+) ]] && "\${BASH_REMATCH[1]}"
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    return lines(
      await runProgram(requirePart('bash'), ['--norc', '-c', script, 'bash', line], { cwd: folder }),
    );
  },
  async fish(line) {
    const script = `source ${scriptOf('fish')}; complete -C $argv[1]`;
    const env = { HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder };
    const outcome = await runProgram(requirePart('fish'), ['-c', script, line], { cwd: folder, env });
    return lines(outcome).map((entry) => entry.split('\t')[0] ?? '');
  },
  async zsh(line) {
    // A real zsh on a pseudo-terminal, whose offers are caught where they arrive.
    const script = `
      zmodload zsh/zpty
      zpty shell zsh -f -i
      zpty -w shell 'PS1= PS2= LISTMAX=10000; autoload -Uz compinit; compinit -u -D; source ${scriptOf('zsh')}'
      zpty -w shell 'compadd() { local -a hits; builtin compadd -O hits "$@"; print -rl -- "offer:"$^hits >> offers; builtin compadd "$@" }'
      zpty -w shell 'probe() { zle complete-word; : > finished }; zle -N probe; bindkey "^T" probe'
      zpty -w shell 'cd ${folder}; rm -f offers finished; : > offers; print ready'
      zpty -r -m shell out '*ready*ready*'
      zpty -w -n shell "$1"$'\\x14'
      repeat 500 { [[ -e ${folder}/finished ]] && break; sleep 0.02 }
      zpty -d shell
      cat ${folder}/offers`;
    const outcome = await runProgram(requirePart('zsh'), ['-f', '-c', script, 'zsh', line], { cwd: folder });
    // File names come twice, the second time quoted for the line.
    return lines(outcome).flatMap((entry) => (/^offer:[^\\]+$/.test(entry) ? [entry.slice(6)] : []));
  },
};

function lines({ code, stdout, stderr }: { code: number | null; stdout: string; stderr: string }): string[] {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return [...new Set(stdout.split('\n').filter((line) => line !== ''))].sort();
}

describe('--no-descriptions', () => {
  it.each(['bash', 'zsh', 'fish', 'powershell'])('%s', async (shell) => {
    const { code, stdout, stderr } = await run(['completion', shell, '--no-descriptions']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('trust-anchor-arn');
    expect(stdout).not.toContain(commands['credential-process'].summary);
    expect(stdout).not.toContain('trust anchor that the certificate chains to');
  });

  it.each(Object.entries(shells))('%s offers the same', async (shell, offers) => {
    // One after the other: zsh writes them into a file.
    const all = async (): Promise<string[][]> => [
      await offers('rolesanywhere '),
      await offers('rolesanywhere sign-string --'),
    ];
    const described = await all();
    const { stdout: full } = await run(['completion', shell]);
    try {
      await writeFile(scriptOf(shell), (await run(['completion', shell, '--no-descriptions'])).stdout);
      expect(await all()).toEqual(described);
    } finally {
      await writeFile(scriptOf(shell), full);
    }
  });
});

describe.each(Object.entries(shells))('%s', (shell, offers) => {
  it.each(['rolesanywhere', 'aws_signing_helper'])(
    'reads the script and knows the commands of %s',
    async (name) => {
      expect(await runProgram(requirePart(shell as 'bash'), ['-n', scriptOf(shell)])).toMatchObject({
        code: 0,
        stderr: '',
      });
      expect(await offers(`${name} `)).toEqual(
        expect.arrayContaining(choicesBehind(undefined).map(({ word }) => word)),
      );
      expect(await offers(`${name} cred`)).toEqual(['credential-process']);
    },
  );

  it('offers the options of the command at hand, and no others', async () => {
    const offered = await offers('rolesanywhere emulator --');
    const names = offered.map((name) => name.replace(/=$/, ''));
    expect(names.sort()).toEqual(
      [...Object.keys(commands.emulator.options), 'help'].map((name) => `--${name}`).sort(),
    );
    expect(await offers('rolesanywhere credential-process --tls')).toEqual([]);
  });

  it('offers the shells to completion, and the commands to help', async () => {
    expect(await offers('rolesanywhere completion ')).toEqual(
      expect.arrayContaining(['bash', 'fish', 'powershell', 'zsh']),
    );
    expect(await offers('rolesanywhere help em')).toEqual(['emulator']);
    expect(await offers('rolesanywhere help red')).toEqual(['redshift']);
  });

  it('offers the commands of a group, and the options of each', async () => {
    const words = choicesBehind('redshift').map(({ word }) => word);
    expect(await offers('rolesanywhere redshift ')).toEqual(expect.arrayContaining(words));
    expect(await offers('rolesanywhere redshift cred')).toEqual(['credentials']);
    const sslmode = (await offers('rolesanywhere redshift url --ssl')).map((name) => name.replace(/=$/, ''));
    expect(sslmode).toEqual(['--sslmode', '--sslrootcert']);
    expect(await offers('rolesanywhere redshift policy --ssl')).toEqual([]);
  });
});

describe('file names', () => {
  it('fish offers them as the value of a certificate, and nothing for a region', async () => {
    expect(await shells['fish']?.('rolesanywhere credential-process --certificate leaf')).toEqual([
      'leaf one.pem',
    ]);
    expect(await shells['fish']?.('rolesanywhere credential-process --region leaf')).toEqual([]);
  });

  it('bash leaves them to readline', async () => {
    expect(await shells['bash']?.('rolesanywhere credential-process --certificate leaf')).toEqual([]);
    expect(await shells['bash']?.('rolesanywhere credential-process --certificate=leaf')).toEqual([]);
    expect(await shells['bash']?.('rolesanywhere credential-process --certificate x --priv')).toEqual([
      '--private-key',
    ]);
  });

  it('zsh offers them', async () => {
    expect(await shells['zsh']?.('rolesanywhere credential-process --certificate leaf')).toEqual([
      'leaf one.pem',
    ]);
  });
});
