import type { Certificate } from '../certificate/certificate.ts';
import { isPkcs12 } from '../encoding/contents.ts';
import { RolesAnywhereError } from '../errors.ts';
import { openKey } from '../key/open.ts';
import type { KeyOpening } from '../key/open.ts';
import type { PasswordProvider } from '../key/password.ts';
import { parseReference, parseSource } from '../key/reference.ts';
import type { SourceReference } from '../key/reference.ts';
import type { Signer } from '../key/signer.ts';
import type { Sources } from '../key/source.ts';
import { silent } from '../reporter.ts';
import { missing, parse } from './options.ts';
import type { IdentityOptions } from './options.ts';

export async function openKeyOf(
  options: IdentityOptions,
  certificates: readonly Certificate[] | undefined,
  sources: Sources,
): Promise<Signer> {
  if (options.signer !== undefined) return callersOwn(options.signer);
  const key =
    parse(options.privateKey, '--private-key', parseReference) ??
    (await keyBeside(parse(options.certificate, '--certificate', parseSource), sources, options.keyPassword));
  return openKey(key, { ...opening(options), sources, certificates });
}

export function opening(options: IdentityOptions): Omit<KeyOpening, 'sources' | 'certificates'> {
  const {
    reporter = silent,
    keyPassword,
    tpmParentPassword,
    timeoutSeconds,
    pkcs11Library,
    reusePin,
  } = options;
  return { reporter, keyPassword, tpmParentPassword, timeoutSeconds, pkcs11Library, reusePin };
}

/** A key of the caller's own, in the terms of ours: it is not ours to close, and fails as ours do. */
function callersOwn(signer: NonNullable<IdentityOptions['signer']>): Signer {
  return {
    keyType: signer.keyType,
    publicKey: signer.publicKey,
    sign: async (message, digest) => {
      try {
        return await signer.sign(message, digest);
      } catch (error) {
        if (error instanceof RolesAnywhereError) throw error;
        throw new RolesAnywhereError('SIGNING_FAILED', 'the signer that the program gave failed', {
          cause: error,
        });
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Without `--private-key` the certificate's own source must hold the key. */
async function keyBeside(
  certificate: SourceReference | undefined,
  sources: Sources,
  keyPassword: PasswordProvider | undefined,
): Promise<SourceReference> {
  if (certificate === undefined) throw missing('--certificate');
  const source = await sources.read(certificate, 'certificate');
  const holdsKey = isPkcs12(source.bytes)
    ? (await sources.openPkcs12(source, keyPassword)).keys.length > 0
    : (await import('../key/file/open.ts')).holdsPrivateKey(source.bytes);
  if (!holdsKey) throw missing('--private-key', `, and certificate ${source.name} holds no private key`);
  return certificate;
}

export async function closedOnFailure<T>(signer: Signer, action: () => T | Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    await signer[Symbol.asyncDispose]();
    throw error;
  }
}
