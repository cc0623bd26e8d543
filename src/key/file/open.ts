import { derKind, describeContents } from '../../encoding/contents.ts';
import { DerReader, isDer, tags } from '../../encoding/der.ts';
import { EncodingError } from '../../encoding/encoding-error.ts';
import { readPem } from '../../encoding/pem.ts';
import { RolesAnywhereError } from '../../errors.ts';
import type { Signer } from '../signer.ts';
import type { Source } from '../source.ts';
import { KeyObjectSigner } from './key-object-signer.ts';
import { decodePrivateKey, encrypted, notYet, readCurve } from './private-key.ts';

/**
 * Opens the private key in a PEM or DER file; certificates beside it are passed over.
 *
 * @throws RolesAnywhereError KEY_INVALID, KEY_UNSUPPORTED or PASSWORD_REQUIRED
 */
export function openKeyFile({ bytes, name }: Source): Signer {
  try {
    return openPrivateKey(bytes, name);
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

function openPrivateKey(bytes: Uint8Array, name: string): Signer {
  const blocks = isDer(bytes) ? [] : readPem(bytes);
  if (blocks.length === 0 && bytes[0] === tags.sequence) {
    return new KeyObjectSigner(decodePrivateKey(bytes, name));
  }

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
      {
        hint: 'leave only the one that belongs to the certificate in it',
      },
    );
  }
  switch (key.label) {
    case 'ENCRYPTED PRIVATE KEY':
      throw encrypted(name);
    case 'OPENSSH PRIVATE KEY':
      throw notYet(`${name} is in OpenSSH's own format`, 'ssh-keygen -p -m PKCS8 -N "" -f FILE');
    case 'TSS2 PRIVATE KEY':
      throw notYet(`${name} is a TPM key`, undefined);
  }
  // RFC 1421, section 4.6.1.1: how OpenSSL encrypted keys before PKCS#8.
  if (key.headers.get('Proc-Type')?.endsWith('ENCRYPTED') === true) throw encrypted(name);

  const parameters = blocks.find(({ label }) => label === 'EC PARAMETERS');
  const curve = parameters && readCurve(new DerReader(parameters.decode()), name);
  const der = key.decode();
  try {
    return new KeyObjectSigner(decodePrivateKey(der, name, curve));
  } finally {
    der.fill(0);
  }
}
