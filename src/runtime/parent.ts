import { Worker } from 'node:worker_threads';

/** The other end, in the child. */
export interface Parent {
  send(message: unknown): void;
  /** Ends this process once what was sent has been handed over. */
  leave(): void;
}

/**
 * Listens to the process that started this one. `onGone` is called when it ends, however it ends.
 *
 * Signals that a terminal or a service manager sends to the whole group are left to the parent to decide on. While a
 * library hangs nothing here can run; so a thread of its own watches, and ends this process when it is an orphan.
 */
export function connectToParent(onMessage: (message: unknown) => void, onGone: () => void): Parent {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);
  process.on('message', onMessage);
  process.on('disconnect', onGone);
  const watch = new Worker(orphanWatch, { eval: true, workerData: Number(process.argv.at(-1)) });
  watch.unref();
  return {
    send: (message) => process.send?.(message, undefined, {}, () => undefined),
    leave: () => {
      if (process.connected) process.disconnect();
      process.exit(0);
    },
  };
}

const orphanWatch = `
const { workerData } = require('node:worker_threads');
let seconds = 0;
setInterval(() => {
  if (process.ppid === workerData) return;
  seconds += 1;
  if (seconds > 3) process.kill(process.pid, 'SIGKILL');
}, 1000);
`;
