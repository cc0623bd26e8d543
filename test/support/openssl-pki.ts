import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { requirePart } from './system-parts.ts';

/** PEM files. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export interface Pki {
  readonly ca: string;
  readonly rsa: KeyPair;
  readonly ec: KeyPair;
  /** A TLS server's, for 127.0.0.1 and localhost, of the same authority. */
  readonly server: KeyPair;
}

const rsa = ['-newkey', 'rsa:2048'];
const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

/** Makes an authority and leaves by OpenSSL, valid for a day from now. */
export const makePki = async (directory: string): Promise<Pki> => {
  const openssl = requirePart('openssl');
  const make = async (
    name: string,
    key: string[],
    extensions: string[],
    signer: string[],
  ): Promise<KeyPair> => {
    const pair = { certificate: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) };
    await promisify(execFile)(openssl, [
      ...[
        'req',
        '-x509',
        '-config',
        '/dev/null',
        '-sha256',
        '-nodes',
        '-days',
        '1',
        '-subj',
        `/CN=test ${name}`,
      ],
      ...[...key, '-keyout', pair.key, '-out', pair.certificate],
      ...[...extensions.flatMap((extension) => ['-addext', extension]), ...signer],
    ]);
    return pair;
  };
  const authority = await make(
    'ca',
    ec,
    ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign'],
    [],
  );
  const leaf = (name: string, key: string[], ...more: string[]): Promise<KeyPair> =>
    make(
      name,
      key,
      ['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,digitalSignature', ...more],
      ['-CA', authority.certificate, '-CAkey', authority.key],
    );
  const [rsaPair, ecPair, server] = await Promise.all([
    leaf('rsa', rsa),
    leaf('ec', ec),
    leaf('server', ec, 'subjectAltName=IP:127.0.0.1,DNS:localhost'),
  ]);
  return { ca: authority.certificate, rsa: rsaPair, ec: ecPair, server };
};
