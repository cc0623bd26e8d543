import type { ServiceManager } from '../runtime/service-manager.ts';
import { stopSignal } from './signals.ts';

/**
 * Resolves when somebody asks this process to end; SIGHUP does not, from here on. Before this is `ready` it is opening
 * its first session, and so is about what SIGHUP asks for.
 */
export function daemonStop(): Promise<void> {
  process.on('SIGHUP', () => undefined);
  return stopSignal();
}

/**
 * Tells the service manager, keeps telling it, and listens to its wish for new credentials.
 *
 * @param reload sees to it that they are where they belong
 */
export function ready(manager: ServiceManager, reload: () => Promise<unknown>): void {
  manager.notify('READY=1');
  if (manager.watchdogMilliseconds !== undefined) {
    setInterval(() => {
      manager.notify('WATCHDOG=1');
    }, manager.watchdogMilliseconds / 2).unref();
  }
  process.on('SIGHUP', () => {
    manager.notifyReloading();
    const done = (): void => {
      manager.notify('READY=1');
    };
    reload().then(done, done);
  });
}

/** Waits for the work, but no longer. */
export async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  const late = new Promise((resolve) => setTimeout(resolve, milliseconds));
  await Promise.race([work, late]);
}
