import type { Server } from 'node:net';

/** The descriptor of a listening socket. Node.js has no public name for it; it has had this one since its beginnings. */
export function descriptorOf(server: Server): number {
  const { fd } = (server as unknown as { readonly _handle: { readonly fd: number } })._handle;
  return fd;
}

/** Listens on a socket that was inherited. */
export function listenOnInherited(server: Server, fd: number, listening: () => void): void {
  server.listen({ fd }, listening);
}
