import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { issue, makeAuthority } from './pki.ts';
import type { Issued } from './pki.ts';

/** Paths of PEM files. */
export interface KeyPairFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface PkiFiles {
  readonly ca: string;
  readonly rsa: KeyPairFiles;
  readonly ec: KeyPairFiles;
  /** A TLS server's, for 127.0.0.1 and localhost, of the same authority. */
  readonly server: KeyPairFiles;
}

/** Writes an authority, a leaf of each key type and a server's certificate into the directory, for the built command. */
export const writePki = async (directory: string): Promise<PkiFiles> => {
  const write = async (name: string, made: Issued): Promise<KeyPairFiles> => {
    const files = { certificate: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) };
    await writeFile(files.certificate, made.certificatePem);
    await writeFile(files.key, made.privateKeyPem, { mode: 0o600 });
    return files;
  };
  const authority = makeAuthority();
  const [{ certificate: ca }, rsa, ec, server] = await Promise.all([
    write('ca', authority),
    write('rsa', issue(authority, { keyType: 'rsa-2048' })),
    write('ec', issue(authority)),
    write('server', issue(authority, { alternativeNames: ['IP:127.0.0.1', 'localhost'] })),
  ]);
  return { ca, rsa, ec, server };
};
