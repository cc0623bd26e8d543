const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const guards = new Set<NodeJS.SignalsListener>();

/**
 * Guards work that must not be left half-done. A signal that would end the process calls `interrupt` instead, and ends
 * it when the guard is released; the second signal ends it at once. A program that listens to the signal itself also
 * decides itself what is done.
 *
 * @returns what releases the guard
 */
export function deferTermination(interrupt: () => void): () => void {
  let received: NodeJS.Signals | undefined;
  const guard = (signal: NodeJS.Signals): void => {
    if (process.listenerCount(signal) > guards.size) return;
    if (received !== undefined) release();
    received = signal;
    interrupt();
  };
  const release = (): void => {
    guards.delete(guard);
    for (const signal of signals) process.off(signal, guard);
    if (received !== undefined) process.kill(process.pid, received);
  };
  guards.add(guard);
  // First in line: a listener that wants the signal only once is still there to be counted.
  for (const signal of signals) process.prependListener(signal, guard);
  return release;
}
