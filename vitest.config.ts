import { defineConfig } from 'vitest/config';

/** Tests run in Node's own module loader: the same code path as production, and one instance of graphql. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    experimental: { viteModuleRunner: false },
    reporters: ['default', './test/support/counting-reporter.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
});
