import type { Certificate } from './certificate/certificate.ts';
import type { Signer } from './key/signer.ts';

/** A key with the certificate that it belongs to and the issuers to send along: checked to fit each other. */
export interface Identity extends AsyncDisposable {
  readonly signer: Signer;
  readonly certificate: Certificate;
  /** The leaf's issuer first; without the leaf and without the root; at most 5. */
  readonly chain: readonly Certificate[];
}
