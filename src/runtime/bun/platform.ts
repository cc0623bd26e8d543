/** Put in by scripts/executable.mjs. */
declare const ROLESANYWHERE_TARGET: string;

export * from '../platform.ts';

export function target(): string {
  return ROLESANYWHERE_TARGET;
}

export function runtime(): string {
  return `Bun ${process.versions['bun'] ?? ''}`;
}
