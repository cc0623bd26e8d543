import { expect, test } from 'vitest';
import { type DatabaseRequest, prepareDatabase } from '../../src/redshift/request.ts';
import { failure } from '../aws/failure.ts';

type Given = Omit<DatabaseRequest, 'region'>;

test.each<[string, Given]>([
  ['no database', {}],
  ['both kinds', { cluster: 'c', workgroup: 'www' }],
  ['a group without a user', { cluster: 'c', dbGroups: ['g'] }],
  ['a user to create without a name', { cluster: 'c', autoCreate: true }],
  ['a user in a workgroup', { workgroup: 'www', dbUser: 'u' }],
  ['a short duration', { cluster: 'c', durationSeconds: 899 }],
  ['a long duration', { cluster: 'c', durationSeconds: 3601 }],
  ['a broken duration', { cluster: 'c', durationSeconds: 900.5 }],
  ['the port 0', { cluster: 'c', port: 0 }],
  ['a port beyond all', { cluster: 'c', port: 65_536 }],
  ['a wrong name', { cluster: 'c', dbUser: 'u', dbGroups: ['good', 'Bad'] }],
  ['a host with its port', { cluster: 'c', host: 'h:5439' }],
  ['a domain name of one word', { customDomain: 'warehouse' }],
  ['a reserved word', { cluster: 'c', database: 'user' }],
])('refuses %s', async (_, given) => {
  expect((await failure(() => prepareDatabase({ region: 'us-east-1', ...given }))).code).toBe(
    'INVALID_ARGUMENT',
  );
});

test('refuses what is no region', async () => {
  const error = await failure(() => prepareDatabase({ region: 'evil.example/', cluster: 'c' }));
  expect(error.code).toBe('INVALID_ARGUMENT');
});

test.each<Given>([
  { cluster: 'c' },
  { cluster: 'c', customDomain: 'w.example.com' },
  { workgroup: 'www', customDomain: 'w.example.com' },
  { customDomain: 'w.example.com', dbUser: 'u', autoCreate: true, dbGroups: ['g'], durationSeconds: 3600 },
])('takes %j', (given) => {
  expect(prepareDatabase({ region: 'us-east-1', ...given })).toMatchObject({ database: 'dev', ...given });
});
