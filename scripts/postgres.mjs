// A PostgreSQL server for one run, in a directory of its own, on this machine's loopback addresses: for the tests and
// the demo. It takes connections by TLS alone, and passwords by SCRAM alone.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

// PostgreSQL does not run as root. These two are the same on every Debian and Ubuntu.
const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

// Nobody's language, library path or PG* variables have a say.
const env = { PATH: process.env.PATH };

/** Debian keeps the server in a folder of its version, off PATH: the newest there. */
export const debianPrograms = () => {
  const folder = '/usr/lib/postgresql';
  const versions = existsSync(folder) ? readdirSync(folder).map(Number).filter(Number.isInteger) : [];
  return `${folder}/${Math.max(0, ...versions)}/bin`;
};

/** Where initdb and postgres are on this machine; undefined when they are not. */
export const findPrograms = () =>
  [...(process.env.PATH ?? '').split(delimiter), debianPrograms()].find((folder) =>
    ['initdb', 'postgres', 'createdb'].every((program) => existsSync(join(folder, program))),
  );

/** Makes the server's user the owner. */
const give = async (path, mode) => {
  if (nobody.uid !== undefined) await chown(path, nobody.uid, nobody.gid);
  await chmod(path, mode);
};

/** Writes a file that is the server's alone. */
const write = async (path, text) => {
  await writeFile(path, text, { mode: 0o600 });
  await give(path, 0o600);
};

const initialise = async (programs, data, { user, password }) => {
  await mkdir(data);
  await give(data, 0o700);
  const passwordFile = `${data}.password`;
  await write(passwordFile, password);
  const words = [
    ...['--pgdata', data, '--username', user, '--pwfile', passwordFile, '--auth', 'scram-sha-256'],
    ...['--encoding', 'UTF8', '--locale', 'C', '--no-sync', '--no-instructions'],
  ];
  await promisify(execFile)(join(programs, 'initdb'), words, { ...nobody, cwd: data, env });
  await rm(passwordFile);
};

const freePort = async () => {
  const server = createServer().listen(0, 'localhost');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
};

/** See postgres.d.mts. */
export const startServer = async ({
  programs,
  data,
  database,
  administrator,
  certificate,
  key,
  settings = {},
}) => {
  await initialise(programs, data, administrator);
  await write(join(data, 'server.crt'), certificate);
  await write(join(data, 'server.key'), key);
  await write(join(data, 'pg_hba.conf'), 'hostssl all all all scram-sha-256\n');

  const port = await freePort();
  const all = {
    ...{ listen_addresses: 'localhost', port, unix_socket_directories: '', ssl: 'on', fsync: 'off' },
    ...settings,
  };
  const options = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const stdio = ['ignore', 'ignore', 'pipe'];
  const child = spawn(join(programs, 'postgres'), ['-D', data, ...options], {
    ...nobody,
    cwd: data,
    env,
    stdio,
  });
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (output += text));
  const ended = once(child, 'close');
  while (!output.includes('ready to accept connections')) {
    if (child.exitCode !== null) throw new Error(`PostgreSQL did not start: ${output}`);
    await sleep(10);
  }
  const stop = async () => {
    child.kill('SIGINT'); // ends its sessions too
    await ended;
  };
  try {
    const { user, password } = administrator;
    const words = ['--host', 'localhost', '--port', String(port), '--username', user, database];
    await promisify(execFile)(join(programs, 'createdb'), words, {
      env: { ...env, PGPASSWORD: password, PGSSLMODE: 'require' },
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, log: () => output, stop };
};
