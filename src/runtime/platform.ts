/** As Node.js names them: `linux`, `darwin`, `win32`; `x64`, `arm64`. */
export const { platform, arch } = process;

/** Whether this runtime was built against another C library than glibc: on Linux, musl (as in Alpine). */
function usesMusl(): boolean {
  if (platform !== 'linux') return false;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime === undefined;
}

/** What runs this process, with its version. */
export function runtime(): string {
  return `Node.js ${process.versions.node}`;
}

/** Who this process acts as; undefined on Windows. */
export function userId(): number | undefined {
  return process.geteuid?.();
}

/** A word that no other process has: to tell what is ours, not to keep a secret. */
export function uniqueId(): string {
  return `${process.pid}-${Math.random().toString(36).slice(2)}`;
}

/** What programs are built for: `linux-x64`, `linux-arm64-musl`, `darwin-arm64`. */
export function target(): string {
  return `${platform}-${arch}${usesMusl() ? '-musl' : ''}`;
}
