/** Put in by scripts/build.mjs, from package.json; absent where the source runs unbuilt. */
declare const ROLESANYWHERE_VERSION: string | undefined;

export const version: string =
  typeof ROLESANYWHERE_VERSION === 'string' ? ROLESANYWHERE_VERSION : 'development';
