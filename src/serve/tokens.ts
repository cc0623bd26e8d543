import { randomBytes, timingSafeEqual } from 'node:crypto';

const slotBytes = 4;
const secretBytes = 32;

/**
 * IMDSv2 session tokens, in a ring: each new one takes the place of the oldest, so that memory is the same after one
 * and after a million. A token says its place in the ring, which is no secret, and only what stands there is compared,
 * in constant time.
 *
 * Signed tokens would need no memory at all, but an HMAC for each request, a tenth of what a request costs.
 */
export class Tokens {
  readonly #secrets: Buffer;
  /** When each ends, in milliseconds of `elapsed`; 0 of an empty place. */
  readonly #ends: Float64Array;
  readonly #elapsed: () => number;
  #next = 0;

  /**
   * @param elapsed milliseconds, by a clock that nobody sets
   * @param capacity 1,000 clients may ask at once, three tokens each, and none loses its own before it uses it
   */
  constructor(elapsed: () => number, capacity = 4096) {
    this.#elapsed = elapsed;
    this.#secrets = Buffer.alloc(capacity * secretBytes);
    this.#ends = new Float64Array(capacity);
  }

  /** A token of 48 characters of base64url. */
  issue(ttlSeconds: number): string {
    const slot = this.#next;
    this.#next = (slot + 1) % this.#ends.length;
    const token = Buffer.alloc(slotBytes + secretBytes);
    token.writeUInt32BE(slot);
    randomBytes(secretBytes).copy(token, slotBytes);
    token.copy(this.#secrets, slot * secretBytes, slotBytes);
    this.#ends[slot] = this.#elapsed() + ttlSeconds * 1000;
    return token.toString('base64url');
  }

  /** The whole seconds that a token has left; undefined of one that is unknown or has ended. */
  secondsLeft(text: string): number | undefined {
    const token = Buffer.from(text, 'base64url');
    if (token.length !== slotBytes + secretBytes) return undefined;
    const slot = token.readUInt32BE();
    const end = this.#ends[slot];
    if (end === undefined) return undefined;
    const secret = this.#secrets.subarray(slot * secretBytes, (slot + 1) * secretBytes);
    if (!timingSafeEqual(token.subarray(slotBytes), secret)) return undefined;
    const left = end - this.#elapsed();
    return left > 0 ? Math.floor(left / 1000) : undefined;
  }
}
