// Asks Amazon Redshift one question, with a login that lasts minutes.
//
//   node redshift-query.mjs --cluster warehouse --db-user etl [more options of rolesanywhere redshift]
//
// The words are handed on to `rolesanywhere redshift url`. Needs the package pg.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import pg from 'pg';

// The login comes over a pipe: in the arguments of a process every user of the machine could read it.
const login = JSON.parse(
  execFileSync('rolesanywhere', ['redshift', 'url', '--format', 'psycopg', ...process.argv.slice(2)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  }),
);
const { host, port, dbname: database, user, password, sslrootcert } = login;
const client = new pg.Client({
  ...{ host, port, database, user, password },
  // verify-full: the chain to these authorities, and the host's name.
  ssl: { ca: readFileSync(sslrootcert), servername: host },
});
await client.connect();
try {
  const { rows } = await client.query('select current_user as name, current_database() as database');
  console.log(`${rows[0].name} in ${rows[0].database}`);
} finally {
  await client.end();
}
