/** An X.509 certificate (RFC 5280) as far as signing and sending it needs: read once, then plain data. */
export interface Certificate {
  /** The whole certificate, DER. */
  readonly der: Uint8Array;
  /** 1, 2 or 3: the version as people count it. */
  readonly version: number;
  /** Up to 20 bytes (RFC 5280, section 4.1.2.2): never a JavaScript number. */
  readonly serialNumber: bigint;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** The issuer's and the subject's Name, DER: compared byte by byte when a chain is put in order. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** The object identifier of signatureAlgorithm, dotted. */
  readonly signatureAlgorithm: string;
  /** basicConstraints' cA; undefined where the extension is absent. */
  readonly isAuthority: boolean | undefined;
  /** keyUsage's digitalSignature; undefined where the extension is absent. */
  readonly digitalSignature: boolean | undefined;
}
