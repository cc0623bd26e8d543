import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DatabaseConnection } from '../../src/redshift/connection.ts';
import { formatConnection, formatNames } from '../../src/redshift/formats/formats.ts';
import { failure } from '../aws/failure.ts';

/*
 * Each form is read back by a parser written after its consumer's rules, which shares nothing with the writer. The real
 * consumers read them in clients.e2e.test.ts.
 */

const connection: DatabaseConnection = {
  host: 'warehouse.example.com',
  port: 5439,
  database: 'dev',
  user: 'IAM:etl',
  password: 'p',
  sslMode: 'verify-full',
  sslRootCert: { file: '/etc/ssl/certs/ca-certificates.crt', isGiven: false },
};
/** Every character that any of the forms gives a meaning. */
const awkward = '+/=@:&%;{}\'"\\ $`#!?*()[]<>|~^,%41%2B}}{{';

const name = fc.stringMatching(/^[A-Za-z][\w+.@-]{0,20}$/);
/** Whatever may stand in a password: anything printable, as the service may one day issue. */
const password = fc
  .oneof(
    fc.string({ unit: 'grapheme', maxLength: 40, minLength: 1 }),
    fc
      .array(
        fc.nat(awkward.length - 1).map((i) => awkward.charAt(i)),
        { maxLength: 40, minLength: 1 },
      )
      .map((all) => all.join('')),
  )
  .filter((text) => !/\p{Cc}/u.test(text));
const connections: fc.Arbitrary<DatabaseConnection> = fc.record({
  host: fc.constantFrom('warehouse.example.com', '10.0.0.1', 'fd00::1', 'a_b.internal'),
  port: fc.integer({ min: 1, max: 65_535 }),
  database: name,
  // Beyond what names may be today: what the API returns is the login's name.
  user: fc.oneof(
    fc.tuple(fc.constantFrom('IAM:', 'IAMA:', 'IAMR:', ''), name).map((parts) => parts.join('')),
    fc.constantFrom('IAMA:etl:readers', 'IAMR:a=b,c', 'IAMR:é;{x} y}'),
  ),
  password,
  sslMode: fc.constantFrom('verify-full', 'verify-ca', 'disable'),
  sslRootCert: fc.record({
    file: fc.option(fc.constantFrom('/etc/ssl/certs/ca-certificates.crt', '/tmp/ä b&c=%41+.pem'), {
      nil: undefined,
    }),
    isGiven: fc.boolean(),
  }),
});

function holds(
  format: (typeof formatNames)[number],
  read: (text: string) => Readonly<Record<string, unknown>>,
  expected: (connection: DatabaseConnection) => Readonly<Record<string, unknown>>,
): void {
  const check = (each: DatabaseConnection): void => {
    const text = formatConnection(format, each);
    expect(text.endsWith('\n')).toBe(true);
    expect(read(text.slice(0, -1))).toEqual(expected(each));
  };
  check({ ...connection, password: awkward });
  fc.assert(fc.property(connections, check), { numRuns: 500 });
}

/** The words that libpq knows, without those that have no value. */
function parameters(each: DatabaseConnection): Record<string, string> {
  return {
    host: each.host,
    port: String(each.port),
    dbname: each.database,
    user: each.user,
    password: each.password ?? '',
    sslmode: each.sslMode,
    ...(each.sslRootCert.file === undefined ? {} : { sslrootcert: each.sslRootCert.file }),
  };
}

const inLibpq: Readonly<Record<string, string>> = {
  PGHOST: 'host',
  PGPORT: 'port',
  PGDATABASE: 'dbname',
  PGUSER: 'user',
  PGPASSWORD: 'password',
  PGSSLMODE: 'sslmode',
  PGSSLROOTCERT: 'sslrootcert',
};

describe('env', () => {
  /** POSIX Shell Command Language, sections 2.2.1 and 2.2.2: a backslash, and single quotes. */
  function shellWord(text: string): string {
    let word = '';
    for (let i = 0; i < text.length; i++) {
      if (text[i] === '\\') word += text[++i] ?? '';
      else if (text[i] === "'") {
        const end = text.indexOf("'", i + 1);
        if (end === -1) throw new Error('an open quote');
        word += text.slice(i + 1, end);
        i = end;
      } else if (/[\w./:-]/.test(text[i] ?? '')) word += text[i] ?? '';
      else throw new Error(`a bare ${text[i] ?? ''}`);
    }
    return word;
  }

  it('is what a shell exports', () => {
    const read = (text: string): Record<string, string> =>
      Object.fromEntries(
        text.split('\n').flatMap((line): [string, string][] => {
          // Some are unset, but none that is set.
          if (/^unset( PG(?:HOSTADDR|SERVICE|REQUIRESSL|SSLROOTCERT))+$/.test(line)) {
            expect(line.includes('SSLROOTCERT')).toBe(!text.includes('export PGSSLROOTCERT'));
            return [];
          }
          const [, variable = '', value = ''] = /^export (PG[A-Z]+)=([^]*)$/u.exec(line) ?? [];
          return [[inLibpq[variable] ?? `unknown ${line}`, shellWord(value)]];
        }),
      );
    holds('env', read, parameters);
  });

  it('is so in this machine’s own shell', () => {
    const script = `${formatConnection('env', { ...connection, password: awkward })}printf %s "$PGPASSWORD"`;
    expect(spawnSync('sh', ['-c', script], { encoding: 'utf8' }).stdout).toBe(awkward);
  });
});

/** RFC 3986, section 2.1, byte by byte. */
function percentDecode(text: string): string {
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (!/[A-Za-z0-9._~%-]/.test(text[i] ?? '')) throw new Error(`a bare ${text[i] ?? ''}`);
    if (text[i] !== '%') bytes.push(code);
    else {
      bytes.push(Number.parseInt(text.slice(i + 1, i + 3), 16));
      i += 2;
    }
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes));
}

it('uri is what libpq reads of a connection URI', () => {
  const read = (text: string): Record<string, string> => {
    const [, login = '', host = '', port = '', database = '', options = ''] =
      /^postgresql:\/\/([^@/?]*)@(\[[^\]]*\]|[^:/?]*):(\d+)\/([^?]*)\?(.*)$/u.exec(text) ?? [];
    const [user = '', secret = ''] = login.split(':').map(percentDecode);
    return {
      host: host.replace(/[[\]]/g, ''),
      port,
      dbname: percentDecode(database),
      user,
      password: secret,
      ...Object.fromEntries(
        options.split('&').map((option) => option.split('=').map(percentDecode) as [string, string]),
      ),
    };
  };
  holds('uri', read, parameters);
});

it('jdbc is what a driver reads that decodes its URL as a form', () => {
  const read = (text: string): Record<string, string> => {
    const [, host = '', port = '', database = '', options = ''] =
      /^jdbc:redshift:\/\/(\[[^\]]*\]|[^:/?]*):(\d+)\/([^?]*)\?(.*)$/u.exec(text) ?? [];
    // As java.net.URLDecoder does it: application/x-www-form-urlencoded.
    const values = Object.fromEntries(new URLSearchParams(options));
    return { host: host.replace(/[[\]]/g, ''), port, dbname: percentDecode(database), ...values };
  };
  holds('jdbc', read, ({ user, password: PWD, sslRootCert, ...each }) => ({
    host: each.host,
    port: String(each.port),
    dbname: each.database,
    sslmode: each.sslMode,
    UID: user,
    PWD,
    ...(sslRootCert.isGiven && sslRootCert.file !== undefined ? { sslrootcert: sslRootCert.file } : {}),
  }));
});

it('odbc is what a driver manager reads', () => {
  /** ODBC Programmer's Reference, SQLDriverConnect: key=value;…, a value in braces up to a brace that is not doubled. */
  const read = (text: string): Record<string, string> => {
    const values: Record<string, string> = {};
    let rest = text;
    while (rest !== '') {
      const [, key = ''] = /^([^=;{}]+)=/u.exec(rest) ?? [];
      rest = rest.slice(key.length + 1);
      const [whole = '', inBraces, plain] = /^(?:\{((?:[^}]|\}\})*)\}|([^;{}]*))(?:;|$)/u.exec(rest) ?? [];
      values[key] = inBraces?.replaceAll('}}', '}') ?? plain ?? '';
      rest = rest.slice(whole.length);
      if (key === '' || whole === '') throw new Error(`unreadable: ${rest}`);
    }
    return values;
  };
  holds('odbc', read, (each) => ({
    Driver: 'Amazon Redshift ODBC Driver (x64)',
    Server: each.host,
    Port: String(each.port),
    Database: each.database,
    UID: each.user,
    PWD: each.password,
    SSLMode: each.sslMode,
  }));
});

it('pgpass is a line of libpq’s password file', () => {
  /** PostgreSQL documentation, "The Password File": five fields, colon and backslash escaped by a backslash. */
  const read = (line: string): Record<string, string> => {
    const fields = [''];
    for (let i = 0; i < line.length; i++) {
      if (line[i] === ':') fields.push('');
      else fields.push((fields.pop() ?? '') + ((line[i] === '\\' ? line[++i] : line[i]) ?? ''));
    }
    const [host = '', port = '', dbname = '', user = '', secret = '', ...more] = fields;
    expect(more).toEqual([]);
    return { host, port, dbname, user, password: secret };
  };
  holds('pgpass', read, (each) => {
    const { host, port, dbname, user, password } = parameters(each);
    return { host, port, dbname, user, password };
  });
});

it('psycopg and redshift-connector are keyword arguments in JSON', () => {
  const read = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;
  holds('psycopg', read, (each) => ({ ...parameters(each), port: each.port }));
  holds('redshift-connector', read, (each) => {
    const { host, port, database, user, password, sslMode } = each;
    const ssl = sslMode === 'disable' ? { ssl: false } : { ssl: true, sslmode: sslMode };
    return { host, port, database, user, password, ...ssl };
  });
});

it('redshift-connector refuses what it cannot do', async () => {
  const weak: DatabaseConnection = { ...connection, sslMode: 'require' };
  const error = await failure(() => formatConnection('redshift-connector', weak));
  expect(error.code).toBe('INVALID_ARGUMENT');
});

it.each(formatNames.filter((format) => format !== 'pgpass'))('%s goes without a password', (format) => {
  const text = formatConnection(format, { ...connection, password: undefined });
  expect(text).not.toMatch(/password|pwd/i);
  expect(text).toContain('etl');
});
