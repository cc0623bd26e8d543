import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPostgresUrl } from '../../src/emulator/postgres-url.ts';

let directory = '';
let authority = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'postgres-url '));
  authority = join(directory, 'ca.pem');
  await writeFile(authority, 'the authority');
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

describe("a database's URL", () => {
  test.each([
    [
      'postgresql://admin:a%2B%2F%40%3Ab%20c@db.example:6432/d%2Fev',
      { host: 'db.example', port: 6432, user: 'admin', password: 'a+/@:b c', database: 'd/ev' },
    ],
    [
      'postgres://localhost',
      { host: 'localhost', port: 5432, user: undefined, password: undefined, database: undefined },
    ],
    ['postgresql:///dev', { host: 'localhost', port: 5432, database: 'dev' }],
    ['postgresql://[::1]:1/dev', { host: '::1', port: 1 }],
    ['postgresql:///dev?host=/run/postgresql', { host: '/run/postgresql', port: 5432, ssl: false }],
    ['postgresql://%2Frun%2Fpostgresql/dev', { host: '/run/postgresql', ssl: false }],
  ])('%s', async (url, expected) => {
    expect(await readPostgresUrl(url)).toMatchObject(expected);
  });

  test.each([
    ['', { rejectUnauthorized: false }, true],
    ['sslmode=prefer', { rejectUnauthorized: false }, true],
    ['sslmode=disable', false, false],
    ['sslmode=require', { rejectUnauthorized: false }, false],
    [
      'sslmode=require&sslrootcert=CA',
      { ca: 'the authority', checkServerIdentity: expect.any(Function) as unknown },
      false,
    ],
    [
      'sslmode=verify-ca&sslrootcert=CA',
      { ca: 'the authority', checkServerIdentity: expect.any(Function) as unknown },
      false,
    ],
    ['sslmode=verify-full&sslrootcert=CA', { ca: 'the authority' }, false],
    ['sslmode=verify-full&sslrootcert=system', {}, false],
    ['sslmode=verify-full', {}, false],
  ])('with %j sets TLS as libpq would', async (query, ssl, plainWillDo) => {
    const url = `postgresql://localhost/dev?${query.replace('CA', encodeURIComponent(authority))}`;
    const settings = await readPostgresUrl(url);
    expect([settings.ssl, settings.plainWillDo]).toEqual([ssl, plainWillDo]);
  });

  test.each([
    ['', 'INVALID_ARGUMENT'],
    ['localhost', 'INVALID_ARGUMENT'],
    ['https://admin:hidden@localhost/dev', 'INVALID_ARGUMENT'],
    ['postgresql://admin:hidden@localhost:port/dev', 'INVALID_ARGUMENT'],
    ['postgresql://admin:hidden%@localhost/dev', 'INVALID_ARGUMENT'],
    ['postgresql://admin:hidden@localhost/dev?sslmode=allow', 'INVALID_ARGUMENT'],
    ['postgresql://admin:hidden@localhost/dev?options=-c', 'INVALID_ARGUMENT'],
    [
      'postgresql://admin:hidden@localhost/dev?sslmode=verify-full&sslrootcert=/nonexistent/ca.pem',
      'FILE_UNREADABLE',
    ],
  ])('%j is refused, and its password not told', async (url, code) => {
    const error: unknown = await readPostgresUrl(url).catch((error: unknown) => error);
    expect(error).toMatchObject({ code });
    expect(JSON.stringify([error, (error as Error).message, (error as Error).cause])).not.toContain('hidden');
  });
});
