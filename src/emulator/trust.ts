import { RolesAnywhereError } from '../errors.ts';
import { makeAuthority, openAuthority } from './authority.ts';
import type { EmulatorCertificate } from './certificate.ts';
import { readPemCertificates } from './certificate.ts';
import { anchorDefect } from './certificate-path.ts';
import { readGiven } from './files.ts';
import { isListOf, readRevocationLists } from './revocation.ts';
import type { RevocationList } from './revocation.ts';
import type { X509 } from './x509.ts';

/**
 * The trust anchors of the files, or a throw-away authority.
 *
 * @throws RolesAnywhereError FILE_UNREADABLE, FILE_UNWRITABLE, CERTIFICATE_INVALID, CERTIFICATE_UNSUITABLE
 */
export async function readAnchors(
  x509: X509,
  options: { readonly trustAnchors?: readonly string[]; readonly pkiDirectory?: string },
  now: Date,
): Promise<readonly EmulatorCertificate[]> {
  const files = options.trustAnchors ?? [];
  if (files.length === 0) {
    const { caPem } =
      options.pkiDirectory === undefined
        ? await makeAuthority(x509, now)
        : await openAuthority(x509, options.pkiDirectory, now);
    return readPemCertificates(x509, caPem);
  }
  const anchors = await Promise.all(files.map((file) => readAnchorFile(x509, file)));
  return anchors.flat();
}

async function readAnchorFile(x509: X509, file: string): Promise<readonly EmulatorCertificate[]> {
  const text = (await readGiven(file, 'trust anchor')).toString('latin1');
  let anchors: readonly EmulatorCertificate[];
  try {
    anchors = readPemCertificates(x509, text);
  } catch (error) {
    throw new RolesAnywhereError('CERTIFICATE_INVALID', `cannot parse trust anchor ${file}`, {
      cause: error,
    });
  }
  if (anchors.length === 0) {
    throw new RolesAnywhereError('CERTIFICATE_INVALID', `trust anchor ${file} holds no PEM certificate`);
  }
  for (const anchor of anchors) {
    const defect = anchorDefect(anchor);
    if (defect !== undefined) {
      throw new RolesAnywhereError(
        'CERTIFICATE_UNSUITABLE',
        `trust anchor ${file} (${anchor.subject.text}) ${defect}`,
        { hint: 'a trust anchor is a CA certificate with keyCertSign, signed with SHA-256 or stronger' },
      );
    }
  }
  return anchors;
}

/**
 * The revocation lists of the files. One that has a trust anchor's name must be that anchor's; whether an intermediate
 * signed one shows when a request brings its certificate.
 *
 * @throws RolesAnywhereError FILE_UNREADABLE, CERTIFICATE_INVALID
 */
export async function readLists(
  x509: X509,
  files: readonly string[],
  anchors: readonly EmulatorCertificate[],
): Promise<readonly RevocationList[]> {
  const lists = await Promise.all(files.map((file) => readListFile(x509, file, anchors)));
  return lists.flat();
}

async function readListFile(
  x509: X509,
  file: string,
  anchors: readonly EmulatorCertificate[],
): Promise<readonly RevocationList[]> {
  const bytes = await readGiven(file, 'revocation list');
  let lists: readonly RevocationList[];
  try {
    lists = readRevocationLists(x509, bytes);
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unknown error';
    throw new RolesAnywhereError('CERTIFICATE_INVALID', `cannot use revocation list ${file}: ${why}`, {
      cause: error,
    });
  }
  if (lists.length === 0) {
    throw new RolesAnywhereError('CERTIFICATE_INVALID', `${file} holds no revocation list in PEM or DER`);
  }
  for (const list of lists) {
    const authors = anchors.filter(({ subject }) => subject.der === list.issuer.der);
    if (authors.length > 0 && !authors.some((anchor) => isListOf(list, anchor))) {
      throw new RolesAnywhereError(
        'CERTIFICATE_INVALID',
        `revocation list ${file} is not signed by the trust anchor that it names, ${list.issuer.text}`,
        { hint: 'the anchor needs keyUsage cRLSign, and the signature SHA-256 or stronger' },
      );
    }
  }
  return lists;
}
