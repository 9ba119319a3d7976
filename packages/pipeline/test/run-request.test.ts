import { resultsPrefix } from '@cutline/pipeline';
import { parseLocation } from '@cutline/shared/stores';
import { expect, test } from 'vitest';

/** Which keys of the source are results of the run that reads it. */
test.each([
  ['s3://photos', 's3://photos', 'runs/'],
  ['s3://photos/2024', 's3://photos/out/', 'out/runs/'],
  ['s3://photos', 's3://captions', undefined],
  ['s3://photos', '/photos', undefined],
  ['/photos', 's3://photos', undefined],
  ['/photos', '/photos', 'runs/'],
  ['/photos', '/photos/out', 'out/runs/'],
  ['/photos/', '/photos/a b/ü', 'a b/ü/runs/'],
  ['/photos', '/photos/out #1', 'out #1/runs/'],
  ['/photos', '/photos/what?', 'what?/runs/'],
  ['/photos', '/photos/100%25 %', '100%25 %/runs/'],
  ['/photos #1', '/photos #1/out?', 'out?/runs/'],
  ['/photos', '/photos/..out', '..out/runs/'],
  ['/photos', '/photos-captions', undefined],
  ['/photos/in', '/photos', undefined],
  ['/photos/in', '/photos/out', undefined],
  ['/', '/photos', 'photos/runs/'],
])('of %s, with the output in %s: %s', (source, output, prefix) => {
  expect(resultsPrefix(parseLocation(source), parseLocation(output))).toBe(prefix);
});
