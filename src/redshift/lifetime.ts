import { advisoryAt } from '../credentials/lifetime.ts';
import type { Login } from './api.ts';

/** The milestones of a login in milliseconds from when it was made: by whose clock that is does not matter then. */
export interface LoginLifetime {
  /** When to ask for the next: at the time that the service named, else some time ahead of the end. */
  readonly due: number;
  readonly end: number;
}

export function lifetimeOf({ opened, expiration, nextRefresh }: Login): LoginLifetime {
  const isAhead = nextRefresh !== undefined && nextRefresh > opened && nextRefresh < expiration;
  const due = isAhead ? nextRefresh : advisoryAt({ opened, expiration });
  return { due: due.getTime() - opened.getTime(), end: expiration.getTime() - opened.getTime() };
}
