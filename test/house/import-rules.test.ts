import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cruise } from 'dependency-cruiser';
import type { ICruiseResult } from 'dependency-cruiser';
import extractDepcruiseOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// Each line plants one import that breaks exactly one rule of .dependency-cruiser.mjs.
const planted: readonly (readonly [file: string, imports: string, rule: string])[] = [
  ['src/encoding/a.ts', "import '../certificate/target.ts';", 'imports-of-encoding'],
  ['src/certificate/a.ts', "import '../key/target.ts';", 'imports-of-certificate'],
  ['src/key/a.ts', "import '../identity/a.ts';", 'imports-of-key'],
  ['src/key/types.ts', "import type {} from '../identity/a.ts';", 'imports-of-key'],
  ['src/key/late.ts', "export const later = () => import('../identity/a.ts');", 'imports-of-key'],
  ['src/identity/a.ts', "import '../key/target.ts';\nimport '../sigv4/target.ts';", 'imports-of-identity'],
  ['src/sigv4/a.ts', "import '../aws/target.ts';", 'imports-of-sigv4'],
  ['src/aws/a.ts', "import '../credentials/target.ts';", 'imports-of-aws'],
  ['src/aws/b.ts', "import '../emulator/target.ts';", 'imports-of-aws'],
  ['src/credentials/a.ts', "import '../serve/target.ts';", 'imports-of-credentials'],
  ['src/serve/a.ts', "import '../redshift/target.ts';", 'imports-of-serve'],
  ['src/redshift/a.ts', "import '../serve/target.ts';", 'imports-of-redshift'],
  ['src/runtime/a.ts', "import '../encoding/target.ts';", 'imports-of-runtime'],
  ['src/emulator/a.ts', "import '../encoding/target.ts';", 'imports-of-emulator'],
  ['src/errors.ts', "import './secret.ts';", 'common-files-import-nothing'],
  ['src/index.ts', "import './cli/target.ts';", 'only-bin-imports-cli'],
  ['src/cli/a.ts', "import '../index.ts';", 'nothing-imports-index'],
  ['src/aws/c.ts', "import process from 'node:process';", 'process-only-in-bin-cli-runtime'],
  ['src/aws/d.ts', "import process from 'process';", 'process-only-in-bin-cli-runtime'],
  ['src/runtime/b.ts', "import 'node:console';", 'terminal-only-in-bin-cli'],
  ['src/key/b.ts', "import 'node:readline/promises';", 'terminal-only-in-bin-cli'],
  ['src/key/tpm/a.ts', "import 'pkcs11js';", 'native-modules-behind-their-door'],
  ['src/cli/b.ts', "import yargs from 'yargs';", 'heavy-libraries-load-late'],
  ['src/aws/e.ts', "import { Agent } from 'undici';", 'heavy-libraries-load-late'],
  ['src/sigv4/b.ts', "import { Sha256 } from '@aws-crypto/sha256-js';", 'heavy-libraries-load-late'],
  ['src/aws/circle.ts', "import type {} from './circle.ts';", 'no-circles'],
  ['src/aws/f.ts', "import './nowhere.ts';", 'resolvable'],
  ['src/cli/c.ts', "import '../runtime/bun/target.ts';", 'bun-only-in-the-executable'],
  ['src/runtime/c.ts', "import './bun/target.ts';", 'bun-only-in-the-executable'],
  ['src/aws/g.ts', "import 'vitest';", 'no-development-packages-in-the-product'],
  ['src/aws/h.ts', "import '../../test/target.ts';", 'product-imports-no-tests'],
];

// What the rules must let through.
const allowed: readonly (readonly [file: string, imports: string])[] = [
  [
    'src/certificate/ok.ts',
    "import '../encoding/target.ts';\nimport '../errors.ts';\nimport '../runtime/target.ts';",
  ],
  ['src/serve/ok.ts', "import '../credentials/target.ts';\nimport '../encoding/target.ts';"],
  ['src/emulator/ok.ts', "import '../secret.ts';\nimport '../runtime/target.ts';\nimport '@peculiar/x509';"],
  ['src/runtime/ok.ts', "import process from 'node:process';\nimport '../errors.ts';"],
  [
    'src/cli/ok.ts',
    "import process from 'node:process';\nimport '../emulator/target.ts';\nimport '../aws/target.ts';",
  ],
  ['src/aws/ok.ts', "export const late = () => import('undici');\nimport type {} from 'undici';"],
  ['src/key/pkcs11/ok.ts', "export const late = () => import('pkcs11js');"],
  ['src/cli/standalone.ts', "import '../runtime/bun/target.ts';"],
  ['src/runtime/bun/ok.ts', "import '../target.ts';\nimport './target.ts';"],
];

const folders = [
  ...['encoding', 'certificate', 'key', 'sigv4', 'aws', 'credentials', 'serve', 'redshift'],
  ...['runtime', 'runtime/bun', 'emulator', 'cli'],
];

const files = new Map([
  [
    'package.json',
    JSON.stringify({
      dependencies: {
        yargs: '*',
        undici: '*',
        pkcs11js: '*',
        '@peculiar/x509': '*',
        '@aws-crypto/sha256-js': '*',
      },
      devDependencies: { vitest: '*' },
    }),
  ],
  [
    'tsconfig.json',
    JSON.stringify({
      compilerOptions: { module: 'NodeNext', allowImportingTsExtensions: true, noEmit: true },
    }),
  ],
  ['src/secret.ts', 'export {};'],
  ['test/target.ts', 'export {};'],
  ...folders.map((folder) => [`src/${folder}/target.ts`, 'export {};'] as const),
  ...['yargs', 'undici', 'pkcs11js', '@peculiar/x509', '@aws-crypto/sha256-js', 'vitest'].flatMap((name) => [
    [`node_modules/${name}/package.json`, JSON.stringify({ name, main: 'index.js' })] as const,
    [`node_modules/${name}/index.js`, ''] as const,
  ]),
  ...planted.map(([file, text]) => [file, text] as const),
  ...allowed.map(([file, text]) => [file, text] as const),
]);

const options = await extractDepcruiseOptions('./.dependency-cruiser.mjs');

describe('the import rules', () => {
  let root: string;
  let violations: ReadonlySet<string>;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'import rules '));
    for (const [file, text] of files) {
      await mkdir(dirname(join(root, file)), { recursive: true });
      await writeFile(join(root, file), text);
    }
    const { output } = await cruise(['src', 'test'], { ...options, baseDir: root });
    violations = new Set(
      (output as ICruiseResult).summary.violations.map(({ from, rule }) => `${from}: ${rule.name}`),
    );
  });

  afterAll(() => rm(root, { recursive: true, force: true }));

  it.each(planted)('%s: %s breaks the rule %s', (file, _text, rule) => {
    expect(violations).toContain(`${file}: ${rule}`);
  });

  it('let everything else through', () => {
    expect([...violations].sort()).toEqual(planted.map(([file, , rule]) => `${file}: ${rule}`).sort());
  });

  it('have a planted violation each', () => {
    const names = options.ruleSet?.forbidden?.map(({ name }) => name);
    expect(new Set(planted.map(([, , rule]) => rule))).toEqual(new Set(names));
  });
});
