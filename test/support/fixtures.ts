import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../../fixtures/', import.meta.url);

/** A file under fixtures/, such as `leaf/p-256.pem`. */
export function fixture(name: string): Buffer {
  return readFileSync(new URL(name, root));
}

export function fixturePath(name: string): string {
  return fileURLToPath(new URL(name, root));
}

/** The files in a folder of fixtures/, as `folder/name`. */
export function fixtures(folder: string): string[] {
  return readdirSync(new URL(folder, root)).map((name) => `${folder}/${name}`);
}

/** The bytes inside the first PEM block. */
export function derOf(pem: Buffer): Buffer {
  const base64 = /-----BEGIN [^-]+-----([^-]+)-----END/.exec(pem.toString())?.[1] ?? '';
  return Buffer.from(base64, 'base64');
}
