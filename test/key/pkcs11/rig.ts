import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach } from 'vitest';
import { openPkcs11 } from '../../../src/key/pkcs11/open.ts';
import type { Pkcs11Contents, Pkcs11Options } from '../../../src/key/pkcs11/open.ts';
import type { Reporter } from '../../../src/reporter.ts';
import { Secret } from '../../../src/secret.ts';
import type { Signer } from '../../../src/key/signer.ts';
import { buildHost, opensslVerifies, softHsmModule } from '../../support/softhsm.ts';

export interface Notes extends Reporter {
  readonly warnings: string[];
  readonly lines: string[];
}

/** Keeps what was reported. */
export function takeNotes(): Notes {
  const warnings: string[] = [];
  const lines: string[] = [];
  return {
    warnings,
    lines,
    warn: (message, hint) => void warnings.push(hint === undefined ? message : `${message}; ${hint}`),
    debug: (message) => void lines.push(message),
  };
}

export const pinProvider =
  (...pins: string[]) =>
  (): Promise<Secret<Uint8Array>> =>
    Promise.resolve(new Secret(Buffer.from(pins.length > 1 ? (pins.shift() ?? '') : (pins[0] ?? ''))));

const opened: Signer[] = [];

/** `openPkcs11` on SoftHSM itself, from the source, with the right PIN; what it opened is closed after the test. */
export async function open(options: Pkcs11Options): Promise<Pkcs11Contents> {
  const contents = await openPkcs11({
    library: softHsmModule,
    pin: pinProvider('1234'),
    host: await buildHost(),
    ...options,
  });
  if (contents.signer !== undefined) opened.push(contents.signer);
  return contents;
}

/** The error code that a promise rejects with. */
export async function failure(
  promise: Promise<unknown>,
): Promise<{ code: string; message: string; hint?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as { code: string; message: string; hint?: string };
  }
  throw new Error('it did not fail');
}

export async function signsFor(signer: Signer | undefined, publicKey: Uint8Array): Promise<boolean> {
  if (signer === undefined) throw new Error('there is no signer');
  const message = Buffer.from(`message ${Math.random()}`);
  return opensslVerifies(publicKey, message, await signer.sign(message));
}

/** Waits for something that another process does. */
export async function waitUntil(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 150; tries += 1) {
    if (await condition()) return;
    await sleep(100);
  }
  throw new Error('it did not happen within 15 seconds');
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((signer) => signer[Symbol.asyncDispose]()));
  for (const name of Object.keys(process.env)) {
    if (/^(WRAPPER_|PKCS11SPY)/.test(name)) Reflect.deleteProperty(process.env, name);
  }
});
