import { Metrics } from '@cutline/shared/process';
import { expect, test } from 'vitest';
import { parseExposition } from '../../../test/support/exposition.ts';

async function ratio(metrics: Metrics): Promise<number | undefined> {
  const families = parseExposition(await metrics.registry.metrics());
  return families.find(({ name }) => name === 'cutline_repeated_caption_ratio')?.samples[0]?.value;
}

test('the most frequent caption has a share, once there are enough to tell', async () => {
  const metrics = new Metrics();
  for (let n = 0; n < 499; n += 1) metrics.countCaption(n % 10 === 0 ? 'a cat' : `a cat ${n}`);
  expect(await ratio(metrics)).toBeUndefined();
  for (let n = 499; n < 1_000; n += 1) metrics.countCaption(n % 10 === 0 ? 'a cat' : `a cat ${n}`);
  expect(await ratio(metrics)).toBeCloseTo(0.1);
});

test('what is long ago counts no more', async () => {
  const metrics = new Metrics();
  for (let n = 0; n < 1_000; n += 1) metrics.countCaption('a cat');
  for (let n = 0; n < 10_000; n += 1) metrics.countCaption(`dog ${n}`);
  expect(await ratio(metrics)).toBeCloseTo(1 / 5_000);
});
