import type { Lifetime } from '../lifetime.ts';

/*
 * On the way of every cached credential_process call: nothing is imported here, and nothing but types may be. Loading
 * node:crypto alone would cost 4 of the 30 milliseconds that the whole process takes.
 */

/** What processes share, with its times by this machine's clock. */
export interface Entry<T = unknown> extends Lifetime {
  /** From here on one process fetches the next ahead of need, while the others use this one. */
  readonly refreshAt: Date;
  /** JSON. */
  readonly payload: T;
}

/** Part of every file, so that another version's are as none. */
const version = 1;

/** An entry with less left is not handed out: whoever gets it has to use it yet. */
const reserve = 60_000;

/** Milliseconds. Sessions last 12 hours at most: a longer life is a mistake. */
export const longestLife = 13 * 3600_000;

/** An entry from further ahead in time means that the clock was set back: its end cannot be told any more. */
const toleratedFuture = 60_000;

/** The text of an entry's file: a checksum, and the JSON behind it in a line of its own. */
export function formatEntry(shape: string, { opened, refreshAt, expiration, payload }: Entry): string {
  const body = JSON.stringify({
    version,
    shape,
    opened: opened.getTime(),
    refreshAt: refreshAt.getTime(),
    expiration: expiration.getTime(),
    payload,
  });
  return `${fingerprint(body)}\n${body}\n`;
}

/**
 * Reads an entry's file. One that is torn, changed, of another version or of another shape is as none.
 *
 * @param shape what the payload was made from, compared as a whole: an equal name alone proves nothing
 */
export function parseEntry(text: string, shape: string): Entry | undefined {
  const body = text.slice(17, -1);
  if (text !== `${fingerprint(body)}\n${body}\n`) return undefined;
  const entry = JSON.parse(body) as Record<'version' | 'opened' | 'refreshAt' | 'expiration', number> & {
    readonly shape: string;
    readonly payload: unknown;
  };
  if (entry.version !== version || entry.shape !== shape) return undefined;
  const { opened, expiration } = entry;
  if (!(expiration - opened <= longestLife)) return undefined;
  return {
    opened: new Date(opened),
    refreshAt: new Date(entry.refreshAt),
    expiration: new Date(expiration),
    payload: entry.payload,
  };
}

/** Whether it can be handed out, were it the last one to be had. */
export function isValid({ opened, expiration }: Lifetime, now: Date, least = 1000): boolean {
  return now < new Date(expiration.getTime() - least) && opened.getTime() <= now.getTime() + toleratedFuture;
}

/** Whether it can be handed out while a new one could be had. */
export function isUsable(entry: Lifetime, now: Date): boolean {
  return isValid(entry, now, reserve);
}

/** Whether nobody needs to think of a new one yet. */
export function isFresh(entry: Entry, now: Date): boolean {
  return isUsable(entry, now) && now < entry.refreshAt;
}

/**
 * 16 hexadecimal digits that differ for different texts, unless somebody wants them not to. They name files and show
 * accidents; what decides is the comparison of the whole shape. So no cryptographic hash has to be loaded.
 *
 * Two lanes of multiplying and mixing, 32 bits at a time: by characters it costs another millisecond on Node.js 24,
 * which runs this uncompiled, as the standalone executable does, where `for … of` takes three times as long.
 */
export function fingerprint(text: string): string {
  // Buffer is made on its first use in the standalone executable, which takes it half a millisecond.
  const bytes = new TextEncoder().encode(text);
  const words = new Int32Array(Math.ceil(bytes.length / 4));
  new Uint8Array(words.buffer).set(bytes);
  let a = 0xdeadbeef ^ bytes.length;
  let b = 0x41c6ce57;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? 0;
    a = Math.imul(a ^ word, 0x9e3779b1) ^ (a >>> 15);
    b = Math.imul(b ^ word, 0x5f356495) ^ (b >>> 13);
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  return [a, b].map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('');
}
