import { verify } from 'node:crypto';
import { region } from './account.ts';
import { readAuthorization } from './authorization.ts';
import type { EmulatorCertificate } from './certificate.ts';
import { readCertificate } from './certificate.ts';
import { maximumChainLength, modulusDefect } from './certificate-path.ts';
import type { HttpRequest } from './http-request.ts';
import { headerValues } from './http-request.ts';
import { accessDenied } from './service-error.ts';
import type { X509 } from './x509.ts';

const service = 'rolesanywhere';

/** P-256, P-384 and P-521, as OpenSSL names them. */
const curves = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

/** Who signed a request: proven to hold the leaf's key, the certificates not yet trusted. */
interface Signatory {
  readonly leaf: EmulatorCertificate;
  readonly chain: readonly EmulatorCertificate[];
}

/**
 * Verifies the signature of a CreateSession request by the certificate that it carries (Roles Anywhere user guide,
 * "Signing process").
 *
 * @throws ServiceError
 */
export function verifyX509Signature(x509: X509, request: HttpRequest, now: Date): Signatory {
  const authorization = readAuthorization(
    request,
    {
      service,
      region,
      codes: {
        missing: 'AccessDeniedException',
        incomplete: 'AccessDeniedException',
        mismatch: 'AccessDeniedException',
      },
    },
    now,
  );
  const [leaf] = readHeader(x509, request, 'x-amz-x509', 1);
  if (leaf === undefined) {
    throw accessDenied('Insufficient certificate', 'x-amz-x509 is missing');
  }
  const chain = readHeader(x509, request, 'x-amz-x509-chain', maximumChainLength);
  const { algorithm, verifies } = requiredAlgorithm(leaf);
  if (authorization.algorithm !== algorithm) {
    throw accessDenied(
      'Invalid signature',
      `the algorithm is '${authorization.algorithm}', and the certificate's key asks for ${algorithm}`,
    );
  }
  // In decimal, without leading zeros: the text is compared, for a serial is too large for a number.
  if (authorization.credential !== leaf.serialNumber.toString()) {
    throw accessDenied(
      'Invalid signature',
      `the serial number in Credential is '${authorization.credential}', and the certificate's is ${leaf.serialNumber} (decimal)`,
    );
  }
  const signature = Buffer.from(authorization.signature, 'hex');
  if (!verifies(Buffer.from(authorization.stringToSign), signature)) {
    throw accessDenied('Invalid signature', 'the signature does not fit the request and the certificate');
  }
  return { leaf, chain };
}

interface RequiredAlgorithm {
  readonly algorithm: string;
  readonly verifies: (message: Uint8Array, signature: Uint8Array) => boolean;
}

/** Which algorithm the certificate's own key asks for. */
function requiredAlgorithm(leaf: EmulatorCertificate): RequiredAlgorithm {
  const { publicKey: key, mlDsaKey, keyAlgorithm } = leaf;
  if (mlDsaKey !== undefined) {
    return {
      algorithm: 'AWS4-X509-MLDSA',
      verifies: (message, signature) => mlDsaKey.verify(message, signature),
    };
  }
  const curve = key?.asymmetricKeyDetails?.namedCurve;
  const algorithm =
    key?.asymmetricKeyType === 'rsa'
      ? 'AWS4-X509-RSA-SHA256'
      : key?.asymmetricKeyType === 'ec' && curve !== undefined && curves.has(curve)
        ? 'AWS4-X509-ECDSA-SHA256'
        : undefined;
  if (key === undefined || algorithm === undefined) {
    throw accessDenied(
      'Insufficient certificate',
      `the leaf's key is ${curve ?? keyAlgorithm}: this emulator knows RSA, EC P-256, P-384 and P-521, and ML-DSA`,
    );
  }
  const weak = modulusDefect(leaf);
  if (weak !== undefined) {
    throw accessDenied('Insufficient certificate', `the leaf ${weak}`);
  }
  return { algorithm, verifies: (message, signature) => verify('sha256', message, key, signature) };
}

/** The certificates of a header, base64 of DER, comma-separated. */
function readHeader(x509: X509, request: HttpRequest, name: string, maximum: number): EmulatorCertificate[] {
  const values = headerValues(request, name);
  if (values.length > 1) {
    throw accessDenied('Insufficient certificate', `${name} was sent ${values.length} times`);
  }
  const items = values[0]?.split(',') ?? [];
  if (items.length > maximum) {
    throw accessDenied(
      'Insufficient certificate',
      `${name} holds ${items.length} certificates, and ${maximum} are allowed`,
    );
  }
  return items.map((item) => {
    const text = item.trim();
    const der = Buffer.from(text, 'base64');
    if (text === '' || der.toString('base64') !== text) {
      throw accessDenied('Insufficient certificate', `${name} is not base64`);
    }
    try {
      return readCertificate(x509, der);
    } catch (error) {
      const why = error instanceof Error ? error.message : 'it cannot be read';
      throw accessDenied('Insufficient certificate', `${name} cannot be read as a DER certificate: ${why}`);
    }
  });
}
