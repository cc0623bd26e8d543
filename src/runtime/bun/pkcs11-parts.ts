// In the standalone executable everything is a part of the bundle.

/** What the executable is started with to be the module's process; see src/cli/standalone.ts. */
export const hostWord = 'pkcs11-host';

export function findHostScript(): string {
  return hostWord;
}

declare const require: (path: string) => unknown;

/** Embedded by scripts/executable.mjs. @throws Error when it cannot be loaded */
export function loadAddon(): unknown {
  return require('./pkcs11.node');
}
