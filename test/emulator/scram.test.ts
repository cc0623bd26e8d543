import { createHash, createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { scramVerifier } from '../../src/emulator/scram.ts';

test('a verifier of SCRAM-SHA-256 belongs to the example of RFC 7677, section 3', async () => {
  const verifier = await scramVerifier('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'));
  const [, storedKey = '', serverKey = ''] =
    /^SCRAM-SHA-256\$4096:W22ZaJ0SNY7soEsUEjb6gQ==\$(.{44}):(.{44})$/.exec(verifier) ?? [];
  const message =
    'n=user,r=rOprNGfwEbeRWgbNEkqO,' +
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,' +
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
  const hmac = (key: string): Buffer =>
    createHmac('sha256', Buffer.from(key, 'base64')).update(message).digest();
  // As a client checks the server, and the server the client's proof.
  expect(hmac(serverKey).toString('base64')).toBe('6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
  const proof = Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64');
  const clientKey = hmac(storedKey).map((byte, index) => byte ^ (proof[index] ?? 0));
  expect(createHash('sha256').update(clientKey).digest('base64')).toBe(storedKey);
});

test('each verifier has a salt of its own', async () => {
  expect(await scramVerifier('pencil')).not.toBe(await scramVerifier('pencil'));
});
