import { fork } from 'node:child_process';
import { Worker } from 'node:worker_threads';

/** How the child ended: by itself with a code, or by a signal, as a crash does. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A Node.js process of our own, and the messages to and from it (structured clones). */
export interface Child {
  send(message: unknown): void;
  /** Whether this process waits for the child before it ends by itself. */
  hold(wait: boolean): void;
  /** Ends it at once, whatever it is doing. */
  kill(): void;
  readonly exited: Promise<ChildExit>;
}

/**
 * Starts a script in a process of its own. What it or a library in it prints goes to stderr: stdout is for results.
 */
export function startChild(script: string, onMessage: (message: unknown) => void): Child {
  const child = fork(script, [String(process.pid)], {
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  child.on('message', onMessage);
  const exited = new Promise<ChildExit>((resolve) => {
    child.once('exit', (code, signal) => {
      resolve({ code, signal });
    });
    child.once('error', () => {
      resolve({ code: null, signal: null });
    });
  });
  return {
    // A child that is gone shows by `exited`, not by an error here.
    send: (message) => child.connected && child.send(message as object, () => undefined),
    hold: (wait) => {
      if (wait) {
        child.ref();
        child.channel?.ref();
      } else {
        child.unref();
        child.channel?.unref();
      }
    },
    kill: () => {
      child.kill('SIGKILL');
    },
    exited,
  };
}

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
  const watch = new Worker(orphanWatch, { eval: true, workerData: Number(process.argv[2]) });
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
