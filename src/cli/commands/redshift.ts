import { resolve } from 'node:path';
import { wholeSeconds } from '../../credentials/whole-seconds.ts';
import { RolesAnywhereError } from '../../errors.ts';
import { checkRedshift } from '../../redshift/check.ts';
import type { DatabaseConnection } from '../../redshift/connection.ts';
import type { DatabaseCredentials } from '../../redshift/credentials.ts';
import { environment, misleading } from '../../redshift/formats/env.ts';
import { formatConnection, formatNames, nameableAuthorities } from '../../redshift/formats/formats.ts';
import { keepPasswordFresh, type Renewable, writePassword } from '../../redshift/passfile.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Reading } from '../fast-path.ts';
import { harmless, print, stderrReporter } from '../output.ts';
import { connectionOf, openRedshift, tlsOptions } from '../redshift.ts';
import { policyText } from '../redshift-policy.ts';
import { runCommand } from '../run-command.ts';
import { oneOf } from '../values.ts';

/** Prints the login as one line of JSON. */
export async function credentials({ values }: Reading<'redshift credentials'>): Promise<void> {
  await using redshift = await openRedshift(values, stderrReporter(values.debug));
  print(loginJson(await redshift.credentials(), true));
}

/** Prints a connection string in one of the forms, and its line end. */
export async function url({ values }: Reading<'redshift url'>): Promise<void> {
  const reporter = stderrReporter(values.debug);
  const format = oneOf('format', values.format, ['json', ...formatNames]);
  const withPassword = !values['no-password'];
  if (format === 'pgpass' && !withPassword) {
    throw new RolesAnywhereError('INVALID_ARGUMENT', '--format pgpass is nothing without the password', {
      hint: 'leave --no-password out',
    });
  }
  const authorities = format === 'json' ? 'none' : nameableAuthorities[format];
  if (values.sslrootcert !== undefined && authorities === 'none') {
    reporter.warn(
      `--format ${format} cannot say --sslrootcert: whoever reads it verifies with other authorities`,
      'tell its reader of the file by itself: its own settings, or PGSSLROOTCERT',
    );
  }
  const tls = tlsOptions(values, reporter, authorities === 'any');
  await using redshift = await openRedshift(values, reporter);
  const login = await redshift.credentials();
  print(
    format === 'json'
      ? loginJson(login, withPassword)
      : formatConnection(format, connectionOf(login, tls, withPassword)),
  );
}

/** Prints lines for a shell to evaluate. */
export async function env({ values }: Reading<'redshift env'>): Promise<void> {
  const reporter = stderrReporter(values.debug);
  const tls = tlsOptions(values, reporter);
  await using redshift = await openRedshift(values, reporter);
  print(formatConnection('env', connectionOf(await redshift.credentials(), tls, !values['no-password'])));
}

/** Runs a command that finds the login in its environment, and ends as it ends. */
export async function exec({ values, rest }: Reading<'redshift exec'>): Promise<number> {
  const [command = '', ...args] = rest;
  return runWithLogin(values, command, args, values['refresh-pgpass']);
}

/** Opens psql, and ends as it ends. */
export async function connect({ values, rest }: Reading<'redshift connect'>): Promise<number> {
  const hint = "install PostgreSQL's client (Debian: postgresql-client), or use redshift exec with another";
  return runWithLogin(values, 'psql', rest, undefined, hint);
}

async function runWithLogin(
  values: Reading<'redshift connect'>['values'],
  command: string,
  args: readonly string[],
  passfile: string | undefined,
  hint?: string,
): Promise<number> {
  const reporter = stderrReporter(values.debug);
  const tls = tlsOptions(values, reporter);
  await using redshift = await openRedshift(values, reporter);
  const renew = async (): Promise<Renewable> => {
    const login = await redshift.credentials();
    return { connection: connectionOf(login, tls), refreshAt: login.refreshAt };
  };
  const first = await renew();
  const file = passfile === undefined ? undefined : resolve(passfile);
  const env = clientEnvironment(first.connection, file);
  const ended = new AbortController();
  const { signal } = ended;
  if (file !== undefined) await writePassword(file, first.connection);
  const kept =
    file !== undefined &&
    keepPasswordFresh({ file, first, next: renew, signal, reporter, clock: systemClock });
  try {
    return await runCommand(command, args, { env, ...(hint === undefined ? {} : { hint }) });
  } finally {
    ended.abort();
    await kept;
  }
}

/**
 * Ours with libpq's variables for the login, and without those that would lead elsewhere. A password in PGPASSWORD
 * would count more than the file's.
 */
function clientEnvironment(
  connection: DatabaseConnection,
  passfile: string | undefined,
): Readonly<Record<string, string | undefined>> {
  const others: readonly string[] = [...misleading, 'PGPASSWORD', 'PGPASSFILE'];
  const inherited = Object.entries(process.env).filter(([name]) => !others.includes(name));
  const login = passfile === undefined ? connection : { ...connection, password: undefined };
  return {
    ...Object.fromEntries(inherited),
    ...environment(login),
    ...(passfile === undefined ? {} : { PGPASSFILE: passfile }),
  };
}

/** Prints the policies that the role needs for this very command line, as one JSON object. */
export async function policy({ values }: Reading<'redshift policy'>): Promise<void> {
  print(await policyText(values, stderrReporter(values.debug)));
}

/** Prints a line for each step that holds; the first that does not ends it, with its likely cause. */
export async function check({ values }: Reading<'redshift check'>): Promise<void> {
  const reporter = stderrReporter(values.debug);
  const tls = tlsOptions(values, reporter);
  await using redshift = await openRedshift(values, reporter);
  for await (const { step, holds } of checkRedshift({ ...redshift, tls })) {
    print(harmless(`${`${step}:`.padEnd(13)}${holds}`) + '\n');
  }
}

function loginJson(login: DatabaseCredentials, withPassword: boolean): string {
  const { dbUser, dbPassword, expiration, host, port, database } = login;
  const text = JSON.stringify({
    dbUser,
    dbPassword: withPassword ? dbPassword : undefined,
    expiration: wholeSeconds(expiration),
    host,
    port,
    database,
  });
  return `${text}\n`;
}
