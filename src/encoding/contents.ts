import { isDer } from './der.ts';
import { readPem } from './pem.ts';

/** What a file of keys and certificates holds, in words, for the message that says what it does not hold. */
export function describeContents(bytes: Uint8Array): string {
  if (isDer(bytes)) return 'DER of another kind';
  const labels = new Set(readPem(bytes).map(({ label }) => label));
  return labels.size === 0 ? 'neither PEM nor DER' : `PEM of ${[...labels].join(', ')}`;
}
