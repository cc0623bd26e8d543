import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { deferTermination } from '../../src/runtime/termination.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
const before = new Map(signals.map((signal) => [signal, process.listeners(signal)]));

beforeEach(() => {
  // Whoever runs the tests may listen too.
  for (const signal of signals) process.removeAllListeners(signal);
});

afterEach(() => {
  for (const signal of signals) {
    expect(process.listenerCount(signal)).toBe(0);
    for (const listener of before.get(signal) ?? []) process.on(signal, listener);
  }
  kill.mockClear();
});

it.each(signals)('%s interrupts the work, and ends the process when it is done', (signal) => {
  const interrupt = vi.fn();
  const release = deferTermination(interrupt);
  process.emit(signal, signal);
  expect(interrupt).toHaveBeenCalledOnce();
  expect(kill).not.toHaveBeenCalled();
  release();
  expect(kill.mock.calls).toEqual([[process.pid, signal]]);
});

it('does nothing when no signal comes', () => {
  deferTermination(() => undefined)();
  expect(kill).not.toHaveBeenCalled();
});

it('ends the process at once at the second signal', () => {
  const release = deferTermination(() => undefined);
  process.emit('SIGINT', 'SIGINT');
  process.emit('SIGINT', 'SIGINT');
  expect(kill.mock.calls).toEqual([[process.pid, 'SIGINT']]);
  release();
});

it('leaves the decision to a program that listens itself, even if only once', () => {
  const interrupt = vi.fn();
  for (const register of ['on', 'once'] as const) {
    const own = vi.fn();
    process[register]('SIGTERM', own);
    const release = deferTermination(interrupt);
    process.emit('SIGTERM', 'SIGTERM');
    expect(own).toHaveBeenCalledOnce();
    release();
    process.off('SIGTERM', own);
  }
  expect(interrupt).not.toHaveBeenCalled();
  expect(kill).not.toHaveBeenCalled();
});

it('waits for all that is at work', () => {
  const [first, second] = [vi.fn(), vi.fn()];
  const releases = [deferTermination(first), deferTermination(second)];
  process.emit('SIGINT', 'SIGINT');
  expect([first.mock.calls.length, second.mock.calls.length]).toEqual([1, 1]);
  releases[0]?.();
  expect(kill).not.toHaveBeenCalled();
  releases[1]?.();
  expect(kill).toHaveBeenCalledOnce();
});
