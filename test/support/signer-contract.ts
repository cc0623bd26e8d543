import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { Digest, Signer } from '../../src/key/signer.ts';
import { expectCode } from './errors.ts';
import { toPem } from './pki.ts';
import { requirePart } from './system-parts.ts';

/** A key behind one of the backends, as the contract suite needs it. */
export interface ContractKey {
  readonly open: () => Promise<Signer>;
  /** SubjectPublicKeyInfo (DER) of the certificate that it belongs to, from elsewhere than the backend. */
  readonly publicKey: Uint8Array;
  /** False for a key or a device that signs over SHA-256 alone; true unless told otherwise. */
  readonly otherDigests?: boolean;
  /** In place of OpenSSL, where Debian's does not know the algorithm. */
  readonly verify?: (message: Uint8Array, signature: Uint8Array) => boolean;
  /** What must hold once every signer is disposed of: that no session or handle is left. */
  readonly expectNothingLeft?: () => Promise<void> | void;
}

/** What every key backend must do. `key` is called within tests, after the file's own set-up. */
export function describeSigner(name: string, key: () => ContractKey): void {
  describe(`the signer contract: ${name}`, () => {
    const opened: Signer[] = [];
    const open = async (): Promise<Signer> => {
      const signer = await key().open();
      opened.push(signer);
      return signer;
    };

    afterEach(async () => {
      for (const signer of opened.splice(0)) await signer[Symbol.asyncDispose]();
      await key().expectNothingLeft?.();
    });

    it("has its certificate's public key", async () => {
      const signer = await open();
      expect(Buffer.from(signer.publicKey)).toEqual(Buffer.from(key().publicKey));
    });

    it.each([undefined, 'SHA256', 'SHA384', 'SHA512'] as const)('signs with digest %s', async (digest) => {
      if (digest !== undefined && digest !== 'SHA256' && key().otherDigests === false) return;
      const signer = await open();
      const message = Buffer.from(`a message for ${digest ?? 'the usual digest'}`);
      const signature = await signer.sign(message, digest);
      expect(await verifies(key(), message, signature, digest)).toBe(true);
      expect(await verifies(key(), Buffer.from('another'), signature, digest)).toBe(false);
    });

    it('signs messages of every size', async () => {
      const signer = await open();
      for (const message of [Buffer.alloc(0), Buffer.alloc(100_000, 'long ')]) {
        expect(await verifies(key(), message, await signer.sign(message))).toBe(true);
      }
    });

    it('signs several messages at once', async () => {
      const signer = await open();
      const messages = ['first', 'second', 'third', 'fourth'].map((text) => Buffer.from(text));
      const signatures = await Promise.all(messages.map((message) => signer.sign(message)));
      for (const [index, signature] of signatures.entries()) {
        expect(await verifies(key(), messages[index] ?? Buffer.alloc(0), signature)).toBe(true);
      }
    });

    it('is open as often as one likes', async () => {
      const [one, two] = [await open(), await open()];
      await one[Symbol.asyncDispose]();
      const message = Buffer.from('message');
      expect(await verifies(key(), message, await two.sign(message))).toBe(true);
    });

    it('fails once it is disposed of, which can be done twice', async () => {
      const signer = await open();
      await signer[Symbol.asyncDispose]();
      await signer[Symbol.asyncDispose]();
      await expectCode(() => signer.sign(Buffer.from('message')), 'SIGNING_FAILED');
    });
  });
}

async function verifies(
  { publicKey, verify }: ContractKey,
  message: Uint8Array,
  signature: Uint8Array,
  digest: Digest = 'SHA256',
): Promise<boolean> {
  if (verify !== undefined) return verify(message, signature);
  const directory = await mkdtemp(join(tmpdir(), 'verify-'));
  const file = async (name: string, contents: Uint8Array | string): Promise<string> => {
    await writeFile(join(directory, name), contents);
    return join(directory, name);
  };
  try {
    await promisify(execFile)(requirePart('openssl'), [
      ...['dgst', `-${digest.toLowerCase()}`, '-verify', await file('key', toPem('PUBLIC KEY', publicKey))],
      ...['-signature', await file('signature', signature), await file('message', message)],
    ]);
    return true;
  } catch (error) {
    const output = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
    if (output.includes('Verification failure')) return false;
    throw error;
  } finally {
    await rm(directory, { recursive: true });
  }
}
