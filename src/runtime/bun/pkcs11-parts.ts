// In the standalone executable everything is a part of the bundle.

/** What the executable is started with to be the module's process; see src/cli/standalone.ts. */
export const hostWord = 'pkcs11-host';

export function findHostScript(): string {
  return hostWord;
}

export const addonCures = {
  missing: 'for tokens, use rolesanywhere on Node.js here, or an executable that was built on such a machine',
  broken: 'it is unpacked into TMPDIR (else /tmp), which must take files and let them run',
};

/** Embedded by scripts/executable.mjs. @throws Error when it cannot be loaded */
export async function loadAddon(): Promise<unknown> {
  // @ts-expect-error -- it lies beside the bundle
  const addon = (await import('./pkcs11.node')) as { readonly default: unknown };
  return addon.default;
}
