import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * Whether a descriptor is one of those that the runtime made for itself and numbered next behind the inherited ones:
 * epoll, eventfd, and pipes of which this very process holds the writing end. To read one is to wait for ever, or to
 * take what the runtime waits for.
 *
 * Known on Linux alone, by proc(5). That it closes on exec tells nothing: libuv marks the inherited ones too.
 */
export function isRuntimesOwn(descriptor: number): boolean {
  const target = targetOf(descriptor);
  if (target?.startsWith('pipe:') !== true) return target?.startsWith('anon_inode:') === true;
  return readdirSync(folder).some((other) => targetOf(other) === target && isWritable(other));
}

const folder = '/proc/self/fd';

/** `pipe:[123]`, `anon_inode:[eventpoll]`, the path of a file; undefined of what is not open. */
function targetOf(descriptor: number | string): string | undefined {
  try {
    return readlinkSync(`${folder}/${descriptor}`);
  } catch {
    return undefined;
  }
}

function isWritable(descriptor: string): boolean {
  const info = readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1');
  // The flags of open(2) in octal, of which the last two bits are the access mode: O_RDONLY is 0.
  return !/^flags:\s*[0-7]*[04]$/mu.test(info);
}
