import type { Refresher } from '../credentials/refresher.ts';
import type { ServiceManager } from '../runtime/service-manager.ts';

/** Tells the service manager, keeps telling it, and listens to its wish for new credentials. */
export function ready(manager: ServiceManager, refresher: Refresher): void {
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
    refresher.refresh().then(done, done);
  });
}

/** Waits for the work, but no longer. */
export async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  const late = new Promise((resolve) => setTimeout(resolve, milliseconds));
  await Promise.race([work, late]);
}
