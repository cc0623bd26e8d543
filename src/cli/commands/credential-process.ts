export function run(): void {
  return;
}
