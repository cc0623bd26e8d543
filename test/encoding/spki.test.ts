import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { expect, it } from 'vitest';
import { derBytes, derElement, derInteger, derSequence, tags } from '../../src/encoding/der.ts';
import { rsaPublicKey } from '../../src/encoding/spki.ts';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwk = privateKey.export({ format: 'jwk' });
const [modulus, exponent, ...others] = [jwk.n, jwk.e, jwk.d, jwk.p, jwk.q, jwk.dp, jwk.dq, jwk.qi].map(
  (number) => Buffer.from(number ?? '', 'base64url'),
) as [Buffer, Buffer, ...Buffer[]];
const padded = (bytes: Buffer) => Buffer.concat([Buffer.alloc(3), bytes]);

// What certificates hold is what OpenSSL writes: a key that is read otherwise would belong to none.
it.each<[string, Buffer, Buffer]>([
  ['as it should be', padded(modulus).subarray(2), exponent],
  ['with more zeros than it needs', padded(modulus), padded(exponent)],
  ['without the zero that makes it positive', modulus, Buffer.of(0x81)],
  ['of zero', modulus, Buffer.of(0)],
  ['of nothing', modulus, Buffer.alloc(0)],
])('the public key of RSA is as OpenSSL reads it: %s', (_, n, e) => {
  const numbers = [n, e, ...others.map((bytes) => padded(bytes).subarray(2))];
  const key = Buffer.from(
    derBytes(derSequence(derInteger(0n), ...numbers.map((number) => derElement(tags.integer, [number])))),
  );
  const publicKey = createPublicKey(createPrivateKey({ key, format: 'der', type: 'pkcs1' }));
  expect(Buffer.from(rsaPublicKey(n, e))).toEqual(publicKey.export({ format: 'der', type: 'spki' }));
});
