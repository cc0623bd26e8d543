import { describe, expect, it } from 'vitest';
import { parseReference, parseSource } from '../../src/key/reference.ts';
import { expectCode } from '../support/errors.ts';
import { fixture } from '../support/fixtures.ts';

describe('parseReference', () => {
  it.each([
    ['/etc/x.pem', { type: 'file', path: '/etc/x.pem' }],
    ['x y.pem', { type: 'file', path: 'x y.pem' }],
    ['C:\\keys\\x.pem', { type: 'file', path: 'C:\\keys\\x.pem' }],
    ['./env:NAME', { type: 'file', path: './env:NAME' }],
    ['ENV:NAME', { type: 'file', path: 'ENV:NAME' }],
    ['./-', { type: 'file', path: './-' }],
    ['-', { type: 'stdin' }],
    ['fd:0', { type: 'stdin' }],
    ['fd:3', { type: 'descriptor', descriptor: 3 }],
    ['env:NAME', { type: 'environment', name: 'NAME' }],
    ['env:a:b', { type: 'environment', name: 'a:b' }],
    ['pkcs11:token=x?pin-value=1234', { type: 'pkcs11', uri: 'pkcs11:token=x?pin-value=1234' }],
    ['handle:0x81000001', { type: 'tpm', handle: 0x81000001 }],
    ['handle:81000001', { type: 'tpm', handle: 0x81000001 }],
    ['handle:0X8100ABcd', { type: 'tpm', handle: 0x8100abcd }],
  ])('%s', (text, reference) => {
    expect(parseReference(text, '--private-key')).toEqual(reference);
  });

  it.each(['', 'env:', 'fd:', 'fd:x', 'fd:-1', 'fd:1e3', 'fd:0x3', 'fd:9999999', 'fd: 3'])(
    '%j is refused, naming the option',
    async (text) => {
      const error = await expectCode(() => parseReference(text, '--private-key'), 'INVALID_ARGUMENT');
      expect(error.message).toContain('--private-key');
    },
  );

  const pem = fixture('leaf/p-256.pkcs8.pem').toString();
  const base64 = fixture('leaf/p-256.sec1.der').toString('base64');
  it.each([
    ['PEM', pem],
    ['PEM on one line', pem.replaceAll('\n', ' ')],
    ['PEM behind env:', `env:${pem}`],
    ['base64 of DER', base64],
    ['base64 of DER behind env:', `env:${base64}`],
    ['base64 of DER in lines', base64.replace(/.{64}/g, '$&\n')],
  ])('a key itself is not taken for a file, nor printed: %s', async (_, text) => {
    const error = await expectCode(() => parseReference(text, '--private-key'), 'INVALID_ARGUMENT');
    expect(`${error.message} ${error.hint ?? ''}`).not.toMatch(/MH|MI[GI]/);
  });

  it('a name that only looks like base64 is a file', () => {
    const path = `M${'a/'.repeat(60)}`;
    expect(parseReference(path, '--certificate')).toEqual({ type: 'file', path });
  });
});

describe('parseSource', () => {
  it('refuses tokens and TPM handles by name, without the PIN', async () => {
    const token = await expectCode(
      () => parseSource('pkcs11:pin-value=1234', '--intermediates'),
      'INVALID_ARGUMENT',
    );
    expect(token.message).toContain('PKCS#11');
    expect(token.message).not.toContain('1234');
    await expectCode(() => parseSource('handle:0x81000001', '--intermediates'), 'INVALID_ARGUMENT');
    expect(parseSource('x.pem', '--certificate')).toEqual({ type: 'file', path: 'x.pem' });
  });
});
