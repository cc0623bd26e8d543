/** When credentials were issued and when they end, both by the service's clock. */
export interface Lifetime {
  readonly opened: Date;
  readonly expiration: Date;
}

const minute = 60_000;

/** From here on new credentials are fetched ahead of need, while nobody waits for them. */
export function advisoryAt(lifetime: Lifetime): Date {
  return before(lifetime, 15 * minute, 3);
}

/** From here on who asks waits for new credentials, if that can succeed. */
export function mandatoryAt(lifetime: Lifetime): Date {
  return before(lifetime, 5 * minute, 6);
}

/** So long before the end, or a part of the whole life where that is shorter. */
function before({ opened, expiration }: Lifetime, milliseconds: number, part: number): Date {
  const life = Math.max(0, expiration.getTime() - opened.getTime());
  return new Date(expiration.getTime() - Math.min(milliseconds, life / part));
}
