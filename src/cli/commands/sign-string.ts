import { createHash } from 'node:crypto';
import { DerReader } from '../../encoding/der.ts';
import { openSigner } from '../../identity/identity.ts';
import type { Signer } from '../../key/signer.ts';
import type { Reading } from '../fast-path.ts';
import { identityOptions } from '../identity-options.ts';
import { print, stderrReporter } from '../output.ts';
import { oneOf } from '../values.ts';

/** Prints a signature of the old helper's fixed string, in its formats: none of them has a line end. */
export async function run({ values }: Reading<'sign-string'>): Promise<void> {
  const digest = oneOf('digest', values.digest, ['SHA256', 'SHA384', 'SHA512']);
  const format = oneOf('format', values.format, ['json', 'text', 'bin']);
  const options = identityOptions(values, stderrReporter(values.debug));
  const signer = await openSigner(options);
  try {
    const signature = await signer.sign(fixedString(signer), digest);
    const text = Buffer.from(signature).toString('hex');
    print({ json: JSON.stringify(text), text, bin: signature }[format]);
  } finally {
    await signer[Symbol.asyncDispose]();
  }
}

/** The hash binds it to the key, in the form that its type has inside of SubjectPublicKeyInfo; ML-DSA goes without. */
function fixedString({ keyType, publicKey }: Signer): Uint8Array {
  const text = Buffer.from('AWS Roles Anywhere Credential Helper Signing Test1');
  if (keyType !== 'rsa' && keyType !== 'ec') return text;
  const info = new DerReader(publicKey).sequence();
  info.sequence();
  const hash = createHash('sha256').update('IAM RA').update(info.bitString().bytes).digest();
  return Buffer.concat([text, hash]);
}
