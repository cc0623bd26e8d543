export interface Bun {
  readonly name: string;
  readonly version: string;
  readonly integrity: string;
  readonly license: string;
  readonly path: string;
}
export const targets: ReadonlyMap<string, string>;
export function hostTarget(): string;
export function isWindows(target: string): boolean;
export function fetchBun(target: string): Promise<Bun>;
