import type { SigningScope } from './x509.ts';

export interface HmacCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** A request without a query, which is all that our calls to other services need. */
export interface HmacRequest {
  readonly method: string;
  readonly url: URL;
  /** By lower-case name. `host` is added. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Signs with a secret access key: Signature Version 4 as every other AWS service takes it, by the SDK's own signer,
 * loaded here since only what follows a session needs it.
 *
 * @returns the headers to send, the request's own among them
 */
export async function signWithSecretKey(
  { method, url, headers, body }: HmacRequest,
  credentials: HmacCredentials,
  { region, service, now }: SigningScope,
): Promise<Readonly<Record<string, string>>> {
  const [{ SignatureV4 }, { Sha256 }] = await Promise.all([
    import('@smithy/signature-v4'),
    import('@aws-crypto/sha256-js'),
  ]);
  const signer = new SignatureV4({ service, region, credentials, sha256: Sha256 });
  const signed = await signer.sign(
    {
      method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query: {},
      headers: { ...headers, host: url.host },
      body,
    },
    { signingDate: now },
  );
  return signed.headers;
}
