import { lookAtImage } from '@cutline/inference';
import sharp from 'sharp';
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

test('what the second decoder reads says of itself what others say', async () => {
  const bytes = Buffer.from('P3 2 1 255 200 100 50 200 100 50\n');
  const found = await lookAtImage({ key: 'a.ppm', bytes }, spec, limits);
  expect(found).toMatchObject({
    format: 'PNM',
    facts: { size: '2×1', samples: '3, sRGB, 8 bits' },
    taken: { decoder: 'ImageMagick' },
  });
});

test('a profile is called what it calls itself', async () => {
  const picture = sharp({ create: { width: 8, height: 8, channels: 3, background: '#888' } });
  const bytes = await picture.withIccProfile('p3').jpeg().toBuffer();
  const { facts } = await lookAtImage({ key: 'a.jpg', bytes }, spec, limits);
  expect(facts).toMatchObject({ size: '8×8', profile: expect.stringMatching(/P3/) });
});
