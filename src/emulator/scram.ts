import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

/** PostgreSQL's own default. */
const iterations = 4096;

/**
 * What PostgreSQL keeps of a password for SCRAM-SHA-256 (RFC 5802, section 3; the form is in its chapter on pg_authid).
 * It takes this in place of the password, as psql's \password sends it: no statement and no log of the server then
 * holds the password.
 *
 * @param password in ASCII, which SASLprep (RFC 4013) leaves as it is
 */
export async function scramVerifier(password: string, salt: Uint8Array = randomBytes(16)): Promise<string> {
  const salted = await promisify(pbkdf2)(password, salt, iterations, 32, 'sha256');
  const hmac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
  const serverKey = hmac('Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${Buffer.from(salt).toString('base64')}$${storedKey}:${serverKey}`;
}
