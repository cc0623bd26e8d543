import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './command.ts';
import type { Outcome } from './command.ts';
import { requirePart } from './system-parts.ts';

/*
 * Real database clients. Each connects as a connection string says, by its own rules of reading one, asks who it is and
 * prints the answer: `select current_user`. None of them gets the string in its command line, but psql its URI.
 */

type Environment = Readonly<Record<string, string>>;

const question = 'select current_user';

/** psql, with a URI or a conninfo string of libpq, or told by its environment (PGHOST and so on) alone. */
export function askPsql(conninfo: string | undefined, env: Environment = {}): Promise<Outcome> {
  const options = ['--no-psqlrc', '--no-password', '--no-align', '--tuples-only', '--command', question];
  return runProgram(requirePart('psql'), conninfo === undefined ? options : [...options, conninfo], { env });
}

/** psycopg, with its keyword arguments. */
export function askPsycopg(keywords: Readonly<Record<string, unknown>>): Promise<Outcome> {
  return runProgram(requirePart('psycopg'), ['-c', psycopgScript], { input: JSON.stringify(keywords) });
}

const psycopgScript = `
import json, sys, psycopg2
with psycopg2.connect(**json.load(sys.stdin)) as connection, connection.cursor() as cursor:
    cursor.execute('${question}')
    print(cursor.fetchone()[0])
`;

/** psqlODBC under the name of Amazon's driver, with a connection string. */
export async function askOdbc(connectionString: string, env: Environment = {}): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), 'odbc-'));
  try {
    const driver = `[Amazon Redshift ODBC Driver (x64)]\nDriver = ${requirePart('psqlOdbc')}\n`;
    await writeFile(join(directory, 'odbcinst.ini'), driver);
    return await runProgram(requirePart('pyodbc'), ['-c', odbcScript], {
      input: connectionString,
      env: { ODBCSYSINI: directory, ...env },
    });
  } finally {
    await rm(directory, { recursive: true });
  }
}

const odbcScript = `
import sys, pyodbc
connection = pyodbc.connect(sys.stdin.read())
print(connection.execute('${question}').fetchone()[0])
connection.close()
`;

/**
 * PostgreSQL's JDBC driver, with a URL for Amazon's: that one decodes the values in it (a plus sign is a space), knows
 * UID and PWD, and any letter case.
 */
export function askJdbc(url: string): Promise<Outcome> {
  const classPath = [requirePart('rhino'), requirePart('pgJdbc')].join(':');
  return runProgram(
    requirePart('java'),
    ['-Xshare:auto', '-cp', classPath, 'org.mozilla.javascript.tools.shell.Main', '-e', jdbcScript],
    { input: url },
  );
}

const jdbcScript = `
var url = String(new java.util.Scanner(java.lang.System['in'], 'UTF-8').useDelimiter('\\\\A').next());
var parts = /^jdbc:redshift:(\\/\\/[^?]*)(?:\\?(.*))?$/.exec(url);
var properties = new java.util.Properties();
(parts[2] || '').split('&').filter(Boolean).forEach(function (pair) {
  var name = pair.split('=')[0].toLowerCase();
  var value = java.net.URLDecoder.decode(pair.slice(pair.indexOf('=') + 1), 'UTF-8');
  properties.setProperty({ uid: 'user', pwd: 'password' }[name] || name, value);
});
var connection = java.sql.DriverManager.getConnection('jdbc:postgresql:' + parts[1], properties);
var result = connection.createStatement().executeQuery('${question}');
result.next();
print(result.getString(1));
connection.close();
`;
