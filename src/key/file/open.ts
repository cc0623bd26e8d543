import { derKind, describeContents } from '../../encoding/contents.ts';
import { DerReader, isDer, tags } from '../../encoding/der.ts';
import { EncodingError } from '../../encoding/encoding-error.ts';
import { readPem } from '../../encoding/pem.ts';
import type { PemBlock } from '../../encoding/pem.ts';
import { RolesAnywhereError } from '../../errors.ts';
import type { PasswordProvider } from '../password.ts';
import type { Signer } from '../signer.ts';
import type { Source } from '../source.ts';
import { openPlain } from './plain.ts';
import { readCurve } from './private-key.ts';

/**
 * Opens the private key in a PEM or DER file; certificates beside it are passed over.
 *
 * @throws RolesAnywhereError KEY_INVALID, KEY_UNSUPPORTED, or a code of passwords
 */
export async function openKeyFile(
  { bytes, name }: Source,
  keyPassword: PasswordProvider | undefined,
): Promise<Signer> {
  try {
    return await openPrivateKey(bytes, name, keyPassword);
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error;
    throw new RolesAnywhereError('KEY_INVALID', `cannot parse private key ${name}: ${error.message}`);
  }
}

/**
 * Whether a file has a private key in it, of whatever kind.
 *
 * @throws EncodingError when it is broken PEM
 */
export function holdsPrivateKey(bytes: Uint8Array): boolean {
  return isDer(bytes) ? derKind(bytes) === 'private key' : readPem(bytes).some(isPrivateKey);
}

function isPrivateKey({ label }: { readonly label: string }): boolean {
  return label.endsWith('PRIVATE KEY');
}

async function openPrivateKey(
  bytes: Uint8Array,
  name: string,
  keyPassword: PasswordProvider | undefined,
): Promise<Signer> {
  const blocks = isDer(bytes) ? [] : readPem(bytes);
  if (blocks.length === 0 && bytes[0] === tags.sequence) return openDer(bytes, name, keyPassword);

  const block = theKey(blocks, bytes, name);
  const parameters = blocks.find(({ label }) => label === 'EC PARAMETERS');
  const curve = parameters && readCurve(new DerReader(parameters.decode()), name);
  // RFC 1421, section 4.6.1.1: how OpenSSL encrypted keys before PKCS#8.
  if (block.headers.get('Proc-Type')?.endsWith('ENCRYPTED') === true) {
    const { openEncryptedPem } = await import('./encrypted.ts');
    return openEncryptedPem(block, name, keyPassword, curve);
  }
  const der = block.decode();
  try {
    return await openDer(der, name, keyPassword, curve);
  } finally {
    der.fill(0);
  }
}

function theKey(blocks: readonly PemBlock[], bytes: Uint8Array, name: string): PemBlock {
  const [key, ...others] = blocks.filter(isPrivateKey);
  if (key === undefined) {
    throw new RolesAnywhereError(
      'KEY_INVALID',
      `private key ${name} holds no private key: ${describeContents(bytes)}`,
    );
  }
  if (others.length > 0) {
    throw new RolesAnywhereError(
      'KEY_INVALID',
      `private key ${name} holds ${others.length + 1} private keys`,
      { hint: 'leave only the one that belongs to the certificate in it' },
    );
  }
  if (key.label === 'OPENSSH PRIVATE KEY') {
    throw new RolesAnywhereError('KEY_UNSUPPORTED', `private key ${name} is in OpenSSH's own format`, {
      hint: 'write it as PEM: ssh-keygen -p -m PKCS8 -N "" -f FILE',
    });
  }
  return key;
}

async function openDer(
  der: Uint8Array,
  name: string,
  keyPassword: PasswordProvider | undefined,
  curve?: string,
): Promise<Signer> {
  if (derKind(der) !== 'encrypted private key') return openPlain(der, name, curve);
  const { openEncryptedDer } = await import('./encrypted.ts');
  return openEncryptedDer(der, name, keyPassword);
}
