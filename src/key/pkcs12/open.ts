import type { Certificate } from '../../certificate/certificate.ts';
import { findLeaf } from '../../certificate/chain.ts';
import { describeCertificate } from '../../certificate/suitability.ts';
import { EncodingError } from '../../encoding/encoding-error.ts';
import { RolesAnywhereError } from '../../errors.ts';
import { openPlain } from '../file/plain.ts';
import type { Signer } from '../signer.ts';
import type { Pkcs12File } from './file.ts';

/**
 * Opens the key in a PKCS#12 file. Of several, it is the one that belongs to a certificate.
 *
 * @param name as error messages shall call the file
 * @param candidates what the certificate is to be among; the file's own unless given
 * @throws RolesAnywhereError KEY_INVALID, KEY_UNSUPPORTED or KEY_CERTIFICATE_MISMATCH
 */
export async function openPkcs12Key(
  name: string,
  { certificates, keys }: Pkcs12File,
  candidates: readonly Certificate[] = certificates,
): Promise<Signer> {
  const [only, ...others] = keys;
  if (only === undefined) {
    throw new RolesAnywhereError('KEY_INVALID', `the PKCS#12 file ${name} holds no private key`);
  }
  if (others.length === 0) return open(only, name);

  const fitting: { readonly signer: Signer; readonly certificate: Certificate }[] = [];
  for (const key of keys) {
    const signer = await openIfPossible(key, name);
    if (signer === undefined) continue;
    const certificate = findLeaf(candidates, signer.publicKey, new Date());
    if (certificate === undefined) await signer[Symbol.asyncDispose]();
    else fitting.push({ signer, certificate });
  }
  const [fit, ...more] = fitting;
  if (fit === undefined) {
    throw new RolesAnywhereError(
      'KEY_CERTIFICATE_MISMATCH',
      `none of the ${keys.length} private keys in the PKCS#12 file ${name} belongs to a certificate`,
    );
  }
  if (more.length === 0) return fit.signer;
  for (const { signer } of fitting) await signer[Symbol.asyncDispose]();
  throw new RolesAnywhereError(
    'KEY_INVALID',
    `the PKCS#12 file ${name} holds ${fitting.length} private keys with certificates: ` +
      fitting.map(({ certificate }) => describeCertificate(certificate)).join(', '),
    { hint: 'say which certificate to use with --cert-selector' },
  );
}

async function open(der: Uint8Array, name: string): Promise<Signer> {
  try {
    return await openPlain(der, name);
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error;
    throw new RolesAnywhereError('KEY_INVALID', `cannot parse private key ${name}: ${error.message}`);
  }
}

/** A key of another type, beside the one that is meant, is no reason to stop. */
async function openIfPossible(der: Uint8Array, name: string): Promise<Signer | undefined> {
  try {
    return await openPlain(der, name);
  } catch (error) {
    if (error instanceof EncodingError || error instanceof RolesAnywhereError) return undefined;
    throw error;
  }
}
