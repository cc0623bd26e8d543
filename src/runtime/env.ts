/**
 * An environment variable. Set but empty counts as unset, as in the AWS SDKs: shells and container definitions
 * have no better way to take a variable away.
 */
export function env(name: string): string | undefined {
  const value = process.env[name];
  return value === '' ? undefined : value;
}
