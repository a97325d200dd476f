import { defineConfig } from 'vitest/config';

/** Tests run in Node's own module loader: the same code path as production, and one instance of graphql. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    experimental: { viteModuleRunner: false },
    // Starts a MongoDB server for the run once a test asks for one, and not before.
    globalSetup: './test/support/mongo-run.ts',
    reporters: ['default', './test/support/counting-reporter.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
});
