import eslint from '@eslint/js'
import tseslint from 'typescript-eslint'

const noBlockingWait = {
  selector: "MemberExpression[object.name='Atomics'][property.name='wait']",
  message: 'Atomics.wait blocks the thread and every socket that it owns. Park on the doorbell instead.',
}

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.matrix/', '.wine/', '.engines/', 'coverage/', 'site/', '.site/'] },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/dot-notation': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      'no-restricted-syntax': ['error', noBlockingWait],
      'no-console': 'error',
      'max-len': [
        'error',
        {
          code: 120,
          ignoreUrls: true,
          ignoreStrings: true,
          ignoreTemplateLiterals: true,
          ignoreRegExpLiterals: true,
        },
      ],
    },
  },
  { files: ['perf/**/*.ts'], rules: { 'no-console': 'off' } },
  { files: ['docs/site/*.js'], languageOptions: { globals: { URL: 'readonly' } } },
  {
    files: ['examples/**/*.js'],
    languageOptions: {
      globals: { AbortController: 'readonly', console: 'readonly', performance: 'readonly', URL: 'readonly' },
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    rules: { 'no-restricted-syntax': ['error', noBlockingWait] },
  },
)
