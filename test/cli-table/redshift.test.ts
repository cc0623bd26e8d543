import type fs from 'node:fs';
import { expect, it, vi } from 'vitest';
import { tlsOptions } from '../../src/cli/redshift.ts';

// A system without a file of the authorities that it trusts.
vi.mock('node:fs', async (original) => ({
  ...(await original<typeof fs>()),
  accessSync: () => {
    throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
  },
}));

function warnings(sslmode: string, namesSystem?: boolean): string[] {
  const told: string[] = [];
  const reporter = { warn: (message: string) => told.push(message), debug: () => undefined };
  const { sslRootCert } = tlsOptions({ sslmode, sslrootcert: undefined }, reporter, namesSystem);
  expect(sslRootCert).toEqual({ file: undefined, isGiven: false });
  return told;
}

it("clients that are told of the system's authorities are told that there are none, and no others", () => {
  expect(warnings('verify-full')).toEqual([expect.stringContaining('no file with the authorities')]);
  expect(warnings('verify-full', false)).toEqual([]);
  expect(warnings('require', false)).toEqual([expect.stringContaining('does not check')]);
});
