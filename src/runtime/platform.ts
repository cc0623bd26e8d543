/** As Node.js names them: `linux`, `darwin`, `win32`; `x64`, `arm64`. */
export const { platform, arch } = process;

/** Whether this runtime was built against another C library than glibc: on Linux, musl (as in Alpine). */
export function usesMusl(): boolean {
  if (platform !== 'linux') return false;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime === undefined;
}
