import { describe, expect, test } from 'vitest';
import { databaseAddress, issueCredentials, type Login } from '../../src/emulator/database-credentials.ts';
import { RolesAnywhereError } from '../../src/errors.ts';
import { Sessions } from '../../src/emulator/sessions.ts';

const redshift = (admit: (login: Login) => Promise<string | undefined>) => ({
  sessions: new Sessions(),
  sessionTtlSeconds: undefined,
  database: { address: 'db.example.com', port: 5433, admit },
});
const etl = { name: 'IAM:etl', user: 'etl', create: false, groups: ['readers'] };
const now = new Date('2030-01-01T00:00:00.900Z');

test('clients are sent where the database is', () => {
  const there = redshift(() => Promise.resolve(undefined));
  expect(databaseAddress(there)).toEqual({ address: 'db.example.com', port: 5433 });
  expect(databaseAddress({ ...there, database: undefined })).toEqual({ address: 'localhost', port: 5439 });
});

describe('the database', () => {
  test('lets in whom the answer says, by its password and until its end', async () => {
    const admitted: Login[] = [];
    const there = redshift((login) => Promise.resolve(void admitted.push(login)));
    const { dbUser, dbPassword, expiration, details } = await issueCredentials(there, etl, 1200, now);
    expect(admitted).toEqual([{ ...etl, password: dbPassword, expiration }]);
    expect(dbUser).toBe('IAM:etl');
    expect(expiration).toEqual(new Date('2030-01-01T00:20:00Z'));
    expect(details).toEqual({ dbUser: 'IAM:etl', expiration: '2030-01-01T00:20:00Z' });
  });

  test('says why a login will fail, to the log alone', async () => {
    const issued = await issueCredentials(
      redshift(() => Promise.resolve('no such group')),
      etl,
      undefined,
      now,
    );
    expect(issued.details['loginFails']).toBe('no such group');
  });

  test('that fails is a failure of the service', async () => {
    const there = redshift(() => Promise.reject(new RolesAnywhereError('DATABASE_UNREACHABLE', 'gone')));
    await expect(issueCredentials(there, etl, undefined, now)).rejects.toMatchObject({
      code: 'InternalFailure',
    });
  });
});
