// Asks Amazon Redshift over a pool of connections, each opened with a login that is good at that moment. Needs the
// package pg.
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { fromRolesAnywhere, redshiftLogin } from 'rolesanywhere';

const login = redshiftLogin({
  region: 'eu-central-1',
  cluster: 'warehouse',
  dbUser: 'etl',
  credentials: fromRolesAnywhere({
    trustAnchorArn: process.env.TRUST_ANCHOR_ARN,
    profileArn: process.env.PROFILE_ARN,
    roleArn: process.env.ROLE_ARN,
    certificate: 'leaf.pem',
    privateKey: 'leaf.key',
  }),
});

const { host, port, database, dbUser } = await login();
const pool = new pg.Pool({
  ...{ host, port, database, user: dbUser },
  // Asked for at each new connection.
  password: async () => (await login()).dbPassword,
  // Amazon's authorities are among the system's.
  ssl: { ca: readFileSync(process.env.PGSSLROOTCERT ?? '/etc/ssl/certs/ca-certificates.crt') },
});
const { rows } = await pool.query('select current_user as name');
console.log(rows[0].name);
await pool.end();
