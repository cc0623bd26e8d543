/** A word as a POSIX shell reads it back: within single quotes only the single quote itself means something. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
