import { startEmulator } from '../../emulator/emulator.ts';
import type { RequestLogEntry } from '../../emulator/emulator.ts';
import type { Reading } from '../fast-path.ts';
import { given } from '../given.ts';
import { harmless, print, tellLine } from '../output.ts';
import { stopSignal } from '../signals.ts';
import { wholeNumber } from '../values.ts';

/** Runs the local service until SIGINT or SIGTERM: one JSON line on stdout when ready, one a request on stderr. */
export async function run({ values }: Reading<'emulator'>): Promise<void> {
  const ttl = values['session-ttl'];
  const port = wholeNumber('port', values.port, 0, 65_535);
  const sessionTtlSeconds = ttl === undefined ? undefined : wholeNumber('session-ttl', ttl, 1, 43_200);
  const emulator = await startEmulator(
    given({
      port,
      bind: values.bind,
      trustAnchors: values['trust-anchor'],
      crls: values.crl,
      pkiDirectory: values.pki,
      sessionTtlSeconds,
      faults: values.fault,
      tlsCertificate: values['tls-certificate'],
      tlsKey: values['tls-key'],
      postgresUrl: values['postgres-url'],
      onRequest: (entry: RequestLogEntry) => {
        tellLine(jsonLine(entry));
      },
    }),
  );
  try {
    const { endpoint, trustAnchorArn, profileArn, roleArn } = emulator;
    const stopped = stopSignal();
    print(`${jsonLine({ endpoint, trustAnchorArn, profileArn, roleArn })}\n`);
    await stopped;
  } finally {
    await emulator.close();
  }
}

/** JSON may hold what moves a terminal's cursor; inside its strings that can be spelled out. */
function jsonLine(value: object): string {
  return harmless(JSON.stringify(value));
}
