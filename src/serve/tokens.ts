import { randomBytes, timingSafeEqual } from 'node:crypto';

const secretLength = 43;
const placeLength = 4;
const tokenLength = secretLength + placeLength;

interface Issued {
  readonly token: Uint8Array;
  /** In milliseconds of the clock's `elapsed`, as all moments here. */
  readonly end: number;
}

/**
 * IMDSv2 session tokens, in a ring: each new one takes the place of the oldest, so that memory is the same after ten
 * thousand and after a million. A token says its place in the ring, which is no secret, and only what stands there is
 * compared, in constant time.
 *
 * Signed tokens would need no memory at all, but an HMAC for each request, a tenth of what a request costs.
 */
export class Tokens {
  readonly #ring: Issued[] = [];
  readonly #capacity: number;
  readonly #given = Buffer.alloc(tokenLength);
  #next = 0;

  /**
   * @param capacity at most 10,000; 1,000 clients may ask at once, three tokens each, and none loses its own before it
   *   uses it
   */
  constructor(capacity = 4096) {
    this.#capacity = capacity;
  }

  /** A token of 47 characters: 256 random bits in base64url, and its place in decimal. */
  issue(ttlSeconds: number, elapsed: number): string {
    const place = this.#next;
    this.#next = (place + 1) % this.#capacity;
    const token = randomBytes(32).toString('base64url') + String(place).padStart(placeLength, '0');
    this.#ring[place] = { token: Buffer.from(token, 'latin1'), end: elapsed + ttlSeconds * 1000 };
    return token;
  }

  /** The whole seconds that a token has left; undefined of one that is unknown or has ended. */
  secondsLeft(text: string, elapsed: number): number | undefined {
    // Its length is no secret.
    if (text.length !== tokenLength) return undefined;
    const issued = this.#ring[Number(text.slice(secretLength))];
    if (issued === undefined) return undefined;
    this.#given.write(text, 'latin1');
    if (!timingSafeEqual(this.#given, issued.token)) return undefined;
    const left = issued.end - elapsed;
    return left > 0 ? Math.floor(left / 1000) : undefined;
  }
}
