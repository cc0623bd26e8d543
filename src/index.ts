export { RolesAnywhereError } from './errors.ts';
export type { ErrorCode, ErrorDetails } from './errors.ts';
