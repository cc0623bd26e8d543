import type { Certificate } from '../certificate/certificate.ts';
import { findLeaf, isValid, orderIssuers } from '../certificate/chain.ts';
import { mlDsaSignatureCheck } from '../certificate/ml-dsa.ts';
import { checkSuitability, describeCertificate, warnOfExpiry } from '../certificate/suitability.ts';
import { RolesAnywhereError } from '../errors.ts';
import { parseSource } from '../key/reference.ts';
import type { Signer } from '../key/signer.ts';
import { Sources } from '../key/source.ts';
import { silent } from '../reporter.ts';
import { findCertificates, readBundle } from './certificates.ts';
import { closedOnFailure, openKeyOf } from './key.ts';
import { parse } from './options.ts';
import type { IdentityOptions } from './options.ts';

/** A key with the certificate that it belongs to and the issuers to send along: checked to fit each other. */
export interface Identity extends AsyncDisposable {
  readonly signer: Signer;
  readonly certificate: Certificate;
  /** The leaf's issuer first; without the leaf and without the root; at most 5. */
  readonly chain: readonly Certificate[];
}

/**
 * Opens a key, finds the certificate that belongs to it and puts its issuers in order. What the service is known to
 * refuse is refused here, before any request.
 *
 * @throws RolesAnywhereError INVALID_ARGUMENT, and every code of certificates, keys and passwords but SIGNING_FAILED
 */
export async function openIdentity(options: IdentityOptions): Promise<Identity> {
  const { reporter = silent, keyPassword } = options;
  const now = options.now?.() ?? new Date();
  const fromIntermediates = parse(options.intermediates, '--intermediates', parseSource);
  using sources = new Sources(options.streams);
  // What can fail without a question to the user comes first: opening a key may cost one, or try a PIN.
  const intermediates =
    fromIntermediates && (await readBundle(fromIntermediates, 'intermediates', sources, keyPassword));
  const { found, eligible, signer: beside } = await findCertificates(options, sources);
  const signer = beside ?? (await openKeyOf(options, eligible, sources));
  return await closedOnFailure(signer, async () => {
    const certificate = ownCertificate(signer, eligible, now);
    checkSuitability(certificate, now, reporter);
    warnOfExpiry(certificate, now, reporter);
    const candidates = [...found, ...(intermediates ?? [])];
    const chain = orderIssuers(certificate, candidates, now, await mlDsaSignatureCheck(candidates));
    for (const issuer of chain) {
      if (isValid(issuer, now)) continue;
      reporter.warn(`the issuer, ${describeCertificate(issuer)}, is not valid now`);
    }
    reporter.debug(`${describeCertificate(certificate)}, ${chain.length} of its issuers sent along`);
    return { signer, certificate, chain, [Symbol.asyncDispose]: () => signer[Symbol.asyncDispose]() };
  });
}

/**
 * Opens the key alone, to try it: no certificate is needed, and one that is given only has to belong to it.
 *
 * @throws as `openIdentity` does
 */
export async function openSigner(options: IdentityOptions): Promise<Signer> {
  const { certificate, certificateSelector, privateKey } = options;
  using sources = new Sources(options.streams);
  const isAlone = certificate === undefined && certificateSelector === undefined && privateKey !== undefined;
  const found = isAlone ? undefined : await findCertificates(options, sources);
  const signer = found?.signer ?? (await openKeyOf(options, found?.eligible, sources));
  return await closedOnFailure(signer, () => {
    if (found) ownCertificate(signer, found.eligible, new Date());
    return signer;
  });
}

function ownCertificate({ publicKey }: Signer, eligible: readonly Certificate[], now: Date): Certificate {
  const certificate = findLeaf(eligible, publicKey, now);
  if (certificate === undefined) throw mismatch(eligible);
  return certificate;
}

function mismatch(certificates: readonly Certificate[]): RolesAnywhereError {
  const [first] = certificates;
  return new RolesAnywhereError(
    'KEY_CERTIFICATE_MISMATCH',
    certificates.length === 1 && first !== undefined
      ? `the private key does not belong to ${describeCertificate(first)}`
      : `the private key belongs to none of the ${certificates.length} certificates`,
    { hint: 'name the key and the certificate that were made together' },
  );
}
