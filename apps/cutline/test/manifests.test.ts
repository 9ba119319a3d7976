import { createCommand } from '@cutline/shared/process';
import { addRunFlags } from '@cutline/shared/run';
import { afterEach, expect, test, vi } from 'vitest';
import { givenFlags } from '../dist/kubernetes/given-flags.js';
import { producerJob } from '../dist/kubernetes/producer-job.js';

/** What `cutline manifests` prints; the manifests' schemas and policies: infra-kubernetes.test.ts. */

afterEach(() => {
  vi.unstubAllEnvs();
});

const parse = (args: readonly string[]) => {
  const command = addRunFlags(createCommand('program', 'A program.'));
  command.parse(args, { from: 'user' });
  const names = command.options.map((option) => option.attributeName());
  return { flags: command.opts(), given: givenFlags(command, names) };
};

test.each([
  [[]],
  [['--output', 's3://captions', '--run', '1920s', '--dry-run', '--attention']],
  [
    [
      '--include',
      '*.tif',
      '--include',
      'a b/**',
      '--exclude=-x',
      '--keys-from',
      's3://lists/a.csv',
    ],
  ],
  [['--keys-from', 's3://lists/a.csv', '--carry', 'id,title', '--key-column', 'Datei']],
  [['--sidecars', 'txt,xmp', '--existing', 'merge', '--min-score', '-0.6']],
  [['--limit', '9', '--batch-size', '64', '--window=7', '--keep-features', 'output']],
  [['--sample', '5', '--seed', '0', '--feature-type', 'int8']],
  [
    [
      '--beam-size',
      '4',
      '--length-penalty',
      '0.7',
      '--no-repeat-ngram',
      '3',
      '--prompt',
      '-- a "$(b)"',
    ],
  ],
])('another program that is given the flags of %j was given the same', (args) => {
  const { flags, given } = parse(args);
  expect(parse(given).flags).toEqual(flags);
  expect(given.length).toBeLessThanOrEqual(args.length);
});

test('flags that came by their variables were given, too', () => {
  vi.stubEnv('CUTLINE_OUTPUT', 's3://captions');
  expect(parse(['--limit', '3']).given).toEqual(['--output=s3://captions', '--limit=3']);
});

const job = (run: string, args: string[] = []) =>
  producerJob({ run, args, image: 'cutline:1.2.3', namespace: 'n' });

test('names of Jobs are such as Kubernetes takes, and no two runs share one', () => {
  const runs = ['1920s', '20261122-204312', 'Maps', 'maps', 'maps_2', 'maps-2', 'm-', 'm'];
  const long = ['a'.repeat(63), 'a'.repeat(64), `${'a'.repeat(63)}-`, 'A'.repeat(54)];
  const names = [...runs, ...long].map((run) => job(run).metadata.name);
  for (const name of names) expect(name).toMatch(/^producer-[a-z0-9]([a-z0-9-]{0,52}[a-z0-9])?$/);
  expect(names.slice(0, 2)).toEqual(['producer-1920s', 'producer-20261122-204312']);
  expect(new Set(names).size).toBe(names.length);
});

test('what Kubernetes would take for a variable is meant as it stands', () => {
  const [program] = job('r', ['--prompt=$(HOME) costs $5']).spec.template.spec.containers;
  expect(program?.args).toEqual(['producer', '--prompt=$$(HOME) costs $5']);
});
