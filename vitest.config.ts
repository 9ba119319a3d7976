import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Of files that compute nothing: the most, and small. */
const inTurns = [
  'packages/{shared,pipeline}/test/**/*.test.ts',
  'apps/*/test/**/*.test.ts',
  'test/{infra-*,structure}.test.ts',
];

/**
 * What takes long begins early, so that nothing is waited for at the end. Vitest goes by what it
 * remembers, and on a fresh clone by sizes of files, of which the longest has one of the smallest.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) =>
      longest.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`)) >>> 0;
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

const longest = [
  'test/resume',
  'test/simulation',
  'test/pipeline-crash',
  'test/published-captioners',
  'test/command-line',
  'test/pipeline-retry',
  'test/demo',
  'test/pipeline-features',
  'test/pipeline-decode',
  'packages/pipeline/test/job-queue-contract',
];

/**
 * Tests run what ships: they import the built packages by name, so `npm run build` comes first.
 *
 * A file gets a process of its own, since native engines do not share one well, nor do files that
 * are busy with processes of theirs. The others take turns in one, which has loaded everything
 * after the first of them: half of what they would cost.
 *
 * Four at a time, on the smallest machine that the project promises to work on, which has two
 * cores: half of the time, a file waits for others (a lock that expires, a Redis that starts).
 */
export default defineConfig({
  test: {
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    projects: [
      project('alone', {
        include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
        exclude: inTurns,
      }),
      project('in turns', { include: inTurns, isolate: false }),
    ],
  },
});

type Options = NonNullable<TestProjectInlineConfiguration['test']>;

function project(name: string, options: Options): TestProjectInlineConfiguration {
  return {
    test: {
      ...options,
      name,
      pool: 'forks',
      setupFiles: ['test/support/fail-on-leaks.ts'],
      // What is built runs as it is: there is nothing for Vite to transform.
      server: {
        deps: { external: [/\/(packages|apps)\/[^/]+\/dist\//, /\/test\/simulation\/dist\//] },
      },
      // Tests wait for conditions with deadlines of their own; this is for those that hang, on a
      // machine that may be busy with other things.
      testTimeout: 120_000,
      hookTimeout: 120_000,
      // Tests use the SDK directly too; what Cutline does about this warning has a test of its own.
      env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    },
  };
}
