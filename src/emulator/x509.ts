import type * as x509 from '@peculiar/x509';

export type X509 = typeof x509;

/**
 * Loads @peculiar/x509. It refuses to load unless a Reflect metadata polyfill is there, because tsyringe, its
 * container, looks for one when its classes are declared; none of them carries metadata, so stubs do. The stubs go
 * away again: a program that uses this library may bring a real polyfill, which would leave ours in place.
 */
export async function loadX509(): Promise<X509> {
  const stubs = ['getMetadata', 'getOwnMetadata', 'defineMetadata'].filter((name) => !(name in Reflect));
  for (const name of stubs) {
    Object.defineProperty(Reflect, name, { value: () => undefined, configurable: true });
  }
  try {
    return await import('@peculiar/x509');
  } finally {
    for (const name of stubs) {
      Reflect.deleteProperty(Reflect, name);
    }
  }
}
