/**
 * The candidate that was probably meant: the same letters in another style (`roleArn`, `role_arn`), the beginning of
 * one (`--role`), or a few slips of the fingers away.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const wanted = inKebabCase(word);
  const begun = wanted.length < 3 ? [] : candidates.filter((candidate) => candidate.startsWith(wanted));
  if (begun.length > 0) return begun.reduce((best, other) => (other.length < best.length ? other : best));
  const [best] = candidates
    .map((candidate) => ({ candidate, distance: distance(wanted, candidate) }))
    .sort((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= Math.max(1, wanted.length / 3) ? best.candidate : undefined;
}

function inKebabCase(word: string): string {
  return word
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll('_', '-')
    .toLowerCase();
}

/** Damerau's and Levenshtein's: how many letters to insert, delete or replace, or neighbours to swap. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwapped ? (before[j - 2] ?? 0) + 1 : Infinity;
      next.push(Math.min(replaced, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    [before, row] = [row, next];
  }
  return row[b.length] ?? 0;
}
