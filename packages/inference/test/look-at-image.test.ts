import { lookAtImage } from '@cutline/inference';
import { expect, test } from 'vitest';

/** What is said of files that are no images, as a run would treat them. */

const spec = { width: 8, height: 8, fit: 'squash', kernel: 'cubic' } as const;
const limits = { pixelsMax: 1e6, timeoutMs: 10_000 };

test.each([
  ['Icon', '', { skipped: 'not-an-image' }],
  ['README', 'words', { skipped: 'not-an-image' }],
  ['lost.jpg', 'words', { failure: { class: 'unsupported' } }],
  ['lost.jpg', '', { failure: { class: 'empty' } }],
])('%s with "%s" in it', async (key, text, outcome) => {
  const found = await lookAtImage({ key, bytes: Buffer.from(text) }, spec, limits);
  expect(found.outcome).toMatchObject(outcome);
});
