import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readFast } from '../../src/cli/fast-path.ts';
import { openRedshift } from '../../src/cli/redshift.ts';
import { startEmulator } from '../../src/emulator/emulator.ts';
import { issue, makeAuthority } from '../support/pki.ts';
import type { Issued } from '../support/pki.ts';

const directory = mkdtempSync(join(tmpdir(), 'redshift session '));
const path = (name: string): string => join(directory, name);
afterAll(() => {
  rmSync(directory, { recursive: true });
});

const serialOf = ({ serial }: Issued): bigint => serial;

it('a session serves login after login until key and certificate are others, also when one comes after the other', async () => {
  const authority = makeAuthority();
  writeFileSync(path('ca.pem'), authority.certificatePem);
  const serials: bigint[] = [];
  await using emulator = await startEmulator({
    trustAnchors: [path('ca.pem')],
    onRequest: ({ serialNumber }) => serials.push(BigInt(`0x${String(serialNumber)}`)),
  });
  const [old, renewed] = [issue(authority), issue(authority)];
  const replace = (name: 'leaf.pem' | 'leaf.key', text: string): void => {
    writeFileSync(path(name), text, { mode: 0o600 });
  };
  replace('leaf.pem', old.certificatePem);
  replace('leaf.key', old.privateKeyPem);
  const { endpoint, trustAnchorArn, profileArn, roleArn } = emulator;
  const line = readFast([
    ...['redshift', 'credentials', '--cluster', 'c', '--no-cache', '--endpoint', endpoint],
    ...['--certificate', path('leaf.pem'), '--private-key', path('leaf.key')],
    ...['--trust-anchor-arn', trustAnchorArn, '--profile-arn', profileArn, '--role-arn', roleArn],
  ]);
  if (line?.command !== 'redshift credentials') throw new Error('the command line is not understood');
  const told: string[] = [];
  const reporter = { warn: (message: string) => told.push(message), debug: () => undefined };
  await using redshift = await openRedshift(line.values, reporter);
  await redshift.aws();
  await redshift.aws();
  expect(serials).toEqual([serialOf(old)]);
  replace('leaf.pem', renewed.certificatePem);
  await redshift.aws();
  expect(told).toEqual([expect.stringContaining('the last good key and certificate stay in use')]);
  replace('leaf.key', renewed.privateKeyPem);
  await redshift.aws();
  await redshift.aws();
  expect(serials).toEqual([old, old, renewed].map(serialOf));
});
