import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { authoritiesWithSystem } from '../../src/aws/trust.ts';

const directory = mkdtempSync(join(tmpdir(), 'trust '));
afterAll(() => {
  rmSync(directory, { recursive: true });
});
afterEach(() => {
  vi.unstubAllEnvs();
});

test("the system's authorities come on top of the runtime's, which may know the other host of the two", async () => {
  const path = join(directory, 'system.pem');
  const text = '-----BEGIN CERTIFICATE-----\n';
  writeFileSync(path, text);
  vi.stubEnv('SSL_CERT_FILE', path);
  expect(await authoritiesWithSystem()).toEqual([...rootCertificates, text]);
});
