import { createRandom } from '@cutline/captioner';
import { countRepeated, findRepeated, type PartRow, RepeatedCaptions } from '@cutline/shared/run';
import { expect, test } from 'vitest';

function captioned(caption: string): PartRow {
  const said = { caption, logProb: -1, score: -1 };
  const image = { key: 'a.jpg', etag: null, width: 1, height: 1, model: 'm' };
  return { ...image, status: 'captioned', ...said, candidates: [said] } as PartRow;
}

const failed = { key: 'b.jpg', status: 'failed', failure: { class: 'corrupt', message: '' } };

/** A run of 40 chunks, in which some captions are everywhere and some in a few chunks only. */
function drawRun(random: () => number): PartRow[][] {
  const shares = Array.from({ length: 30 }, () => 0.08 * random() ** 2);
  return Array.from({ length: 40 }, (_, chunk) =>
    Array.from({ length: Math.ceil(400 * random()) }, (_, n) => {
      if (random() < 0.05) return failed as PartRow;
      const which = Math.floor(30 * random());
      const isHere = which % 3 > 0 || chunk < 8;
      const isSaid = isHere && random() < 30 * (shares[which] ?? 0);
      return captioned(isSaid ? `said ${which}` : `of its own ${chunk} ${n}`);
    }),
  );
}

test.each([1, 2, 3, 4, 5, 6])(
  'every caption of more than 2% is found, and counted to a 500th of each chunk (seed %i)',
  (seed) => {
    const chunks = drawRun(createRandom(seed));
    const all = chunks.flat().filter((row) => row.status === 'captioned');
    const truth = new Map<string, number>();
    for (const { caption } of all) truth.set(caption, (truth.get(caption) ?? 0) + 1);
    const unseenMax = chunks.reduce((sum, { length }) => sum + Math.max(1, 0.002 * length), 1);
    const found = findRepeated(
      chunks.map((rows) => ({
        captioned: rows.filter(({ status }) => status === 'captioned').length,
        repeated: countRepeated(rows),
      })),
    );
    const names = found.map(({ caption }) => caption);
    for (const [caption, images] of truth) {
      if (images > 0.02 * all.length) expect(names).toContain(caption);
    }
    for (const { caption, images } of found) {
      const exact = truth.get(caption) ?? 0;
      expect(images).toBeLessThanOrEqual(exact);
      expect(images).toBeGreaterThan(exact - unseenMax);
    }
    expect(found.length).toBeGreaterThan(0);
    expect(found).toEqual(found.toSorted((a, b) => b.images - a.images));
  },
);

test('rows as they come are counted alike, in batches of whatever size', () => {
  const captions = new RepeatedCaptions();
  for (let batch = 0; batch < 500; batch++) {
    captions.add(
      Array.from({ length: 64 }, (_, n) => captioned(n < 2 ? 'a dog' : `${batch} ${n}`)),
    );
  }
  expect(captions.find()).toEqual([{ caption: 'a dog', images: 1_000 }]);
});

test('of few images nothing is said: they may well be alike', () => {
  const rows = Array.from({ length: 999 }, () => captioned('a page of text'));
  const chunk = { captioned: 999, repeated: countRepeated(rows) };
  expect(findRepeated([chunk])).toEqual([]);
  expect(findRepeated([chunk, { captioned: 1, repeated: [] }])).toEqual([
    { caption: 'a page of text', images: 999 },
  ]);
});

test('chunks that were closed before captions were counted tell nothing', () => {
  expect(findRepeated([{ captioned: 5_000 }])).toEqual([]);
});
