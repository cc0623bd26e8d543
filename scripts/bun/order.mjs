// The order that the bytecode of an executable lies in: that of the runs that count, so that they read little of the file
// and in one go (Bun's --bytecode-order). Functions and modules are named in it by hashes of their text, whatever their
// variables are called: one recording holds for every target and stays good while the source changes.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { sessionWords, startService, writeCertificates } from '../../bench/service.mjs';

export const orderFile = path.join(import.meta.dirname, 'bytecode.order');

/**
 * What `credential-process` uses of an executable: first what is used when the session is in the cache, as it mostly is,
 * then what it takes to open one.
 *
 * @param executable one that was built unsealed
 */
export async function recordOrder(executable) {
  const folder = await mkdtemp(path.join(tmpdir(), 'rolesanywhere-order-'));
  const service = await startService(await writeCertificates(folder));
  const words = (key) => [
    ...['credential-process', ...sessionWords(folder, key, service.endpoint)],
    ...['--ca-bundle', path.join(folder, 'ca.pem')],
  ];
  const run = async (...line) => {
    const file = path.join(folder, 'order');
    const env = { HOME: folder, BUN_BYTECODE_ORDER_OUT: file };
    await promisify(execFile)(executable, line, { env });
    return readFile(file, 'utf8');
  };
  try {
    await run(...words('rsa'), '--cache');
    const runs = [
      await run(...words('rsa'), '--cache'),
      await run(...words('rsa')),
      await run(...words('ec')),
    ];
    const [version] = runs[0].split('\n', 1);
    // F is a function, M a module. The rest (strings, and what was not used) takes 200 kB and makes no difference.
    const lines = new Set(runs.flatMap((text) => text.match(/^[FM] .*$/gm)));
    return [
      '# Made by `npm run build:exe -- --record-order`: see order.mjs.',
      version,
      ...[...lines].sort((a, b) => a.charCodeAt(0) - b.charCodeAt(0)),
      '',
    ].join('\n');
  } finally {
    service.close();
    await rm(folder, { recursive: true });
  }
}
