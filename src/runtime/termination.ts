const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** What is called at a signal: one for each guard. */
const guards = new Set<() => void>();
let received: NodeJS.Signals | undefined;

/**
 * Guards work that must not be left half-done. A signal that would end the process calls `interrupt` instead, and ends
 * it when the last guard is released; the second signal ends it at once. A program that listens to the signal itself
 * also decides itself what is done.
 *
 * @returns what releases the guard
 */
export function deferTermination(interrupt: () => void): () => void {
  const guard = (): void => {
    interrupt();
  };
  if (guards.size === 0) {
    // First in line: a listener that wants the signal only once is still there to be counted.
    for (const signal of signals) process.prependListener(signal, onSignal);
  }
  guards.add(guard);
  return () => {
    guards.delete(guard);
    if (guards.size === 0) end();
  };
}

function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  if (received !== undefined) end();
  else {
    received = signal;
    for (const guard of guards) guard();
  }
}

function end(): void {
  for (const signal of signals) process.off(signal, onSignal);
  const signal = received;
  received = undefined;
  if (signal !== undefined) process.kill(process.pid, signal);
}
