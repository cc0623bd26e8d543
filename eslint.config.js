import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

// dependency-cruiser holds the same walls for imports of node:process and node:console.
const behindADoor = (...names) => ({
  'no-restricted-globals': ['error', ...names],
  'no-restricted-properties': [
    'error',
    ...names.flatMap((property) => [
      { object: 'globalThis', property },
      { object: 'global', property },
    ]),
  ],
});

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'node_modules/', '.cache/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
    },
  },
  {
    // Only bin/ and src/cli/ talk to the user; the library reports through a Reporter.
    files: ['src/**'],
    ignores: ['src/cli/**'],
    rules: behindADoor('process', 'console'),
  },
  {
    // src/runtime/ is the library's one door to the process, but it prints nothing.
    files: ['src/runtime/**'],
    rules: behindADoor('console'),
  },
  {
    files: ['**/*.js', '**/*.mjs', '**/*.cjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
        fetch: 'readonly',
        AbortController: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        require: 'readonly',
        module: 'writable',
        __dirname: 'readonly',
        performance: 'readonly',
      },
    },
  },
);
