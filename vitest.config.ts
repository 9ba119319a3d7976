import { defineConfig } from 'vitest/config';

/**
 * Tests run what ships: they import the built packages by name, so `npm run build` comes first.
 *
 * Each file gets a process of its own, since native engines and child processes do not share one
 * well; two at a time, because many files start servers and workers of their own, and a machine
 * with two cores is the smallest that the project promises to work on.
 */
export default defineConfig({
  test: {
    include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Tests wait for conditions with deadlines of their own; this is for those that hang, on a
    // machine that may be busy with other things.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Tests use the SDK directly too; what Cutline does about this warning has a test of its own.
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
  },
});
