import {
  listPrices,
  type PlanContext,
  parsePrices,
  planOf,
  type SurveyedListing,
  surveyListing,
  type Trial,
  type TryContext,
  tryImages,
} from '@cutline/pipeline';
import { Draw } from '@cutline/shared/listing';
import type { ImageRef } from '@cutline/shared/run';
import { MemoryStore, type ObjectInfo } from '@cutline/shared/stores';
import { describe, expect, test } from 'vitest';
import { exampleRun } from '../../shared/test/support/example-run.ts';

/** What a plan counts, tries and reckons; in memory, with seeds and a clock of the tests' own. */

const selection = exampleRun.selection;

/** A bucket that lists what it is told to. */
class ListedStore extends MemoryStore {
  readonly #infos: ObjectInfo[];

  constructor(infos: Partial<ObjectInfo>[], url = 's3://archive') {
    super(url);
    this.#infos = infos
      .map((info, n) => ({ key: `${n}.jpg`, etag: `e${n}`, bytes: 1_000, ...info }))
      .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  }

  override async *list() {
    yield* this.#infos;
  }
}

const surveyOf = (infos: Partial<ObjectInfo>[], url?: string): Promise<SurveyedListing> =>
  surveyListing([{ store: new ListedStore(infos, url), prefix: '' }, selection], {
    size: 10,
    seed: 1,
  });

describe('a survey', () => {
  test('counts by type, size and storage class, and what has to be restored', async () => {
    const { survey, drawn } = await surveyOf([
      { key: 'a.JPG', bytes: 0, storageClass: 'STANDARD' },
      { key: 'b.jpeg', bytes: 10 * 1024, storageClass: 'STANDARD' },
      { key: 'c.tif', bytes: 10 * 1024 + 1, storageClass: 'STANDARD_IA' },
      { key: 'd.nef', bytes: 2e9, storageClass: 'STANDARD' },
      { key: 'e', bytes: 7 },
      { key: 'f.gif', bytes: 5, storageClass: 'DEEP_ARCHIVE', archived: true },
      { key: 'g.txt', bytes: 6 },
      { key: 'h.d!r', bytes: 8 },
    ]);
    expect(survey).toMatchObject({
      ...{ keys: 8, images: 6, unsized: 0, bytes: 2e9 + 2 * 10 * 1024 + 1 + 15 },
      skippedByReason: { archived: 1, 'not-an-image': 1 },
      types: {
        JPEG: { images: 2, bytes: 10 * 1024 },
        TIFF: { images: 1 },
        'camera raw': { images: 1 },
        'without an extension': { images: 2 },
      },
      storageClasses: { STANDARD: { images: 3 }, STANDARD_IA: { images: 1 } },
      archived: { DEEP_ARCHIVE: { images: 1, bytes: 5 } },
    });
    expect(survey.sizes.map(({ images }) => images)).toEqual([1, 3, 1, 0, 0, 0, 1]);
    expect(drawn.map(({ key }) => key)).toEqual(survey.examples.concat('h.d!r').slice(0, 6));
  });

  test('tells duplicates by ETag and size, where ETags tell contents', async () => {
    const twice = [
      { key: 'a.jpg', etag: 'x', bytes: 3 },
      { key: 'b.jpg', etag: 'x', bytes: 3 },
      { key: 'c.jpg', etag: 'x', bytes: 4 },
      { key: 'd.jpg', etag: 'x', bytes: 3 },
    ];
    expect((await surveyOf(twice)).survey.duplicates).toEqual({ images: 2, bytes: 6 });
    expect((await surveyOf(twice, 'file:///photos')).survey.duplicates).toBeNull();
  });

  test('draws the same for the same seed, each image as likely as any other', () => {
    const items = Array.from({ length: 200 }, (_, n) => n);
    const drawOf = (seed: number) => {
      const draw = new Draw<number>({ size: 20, seed });
      for (const item of items) draw.add(item);
      return draw.items();
    };
    expect(drawOf(3)).toEqual(drawOf(3));
    expect(drawOf(3)).toEqual(drawOf(3).toSorted((a, b) => a - b));
    const counts = items.map(() => 0);
    for (let seed = 0; seed < 300; seed++) for (const item of drawOf(seed)) counts[item]! += 1;
    // 30 each are expected, give or take 5.2.
    expect(Math.min(...counts)).toBeGreaterThan(8);
    expect(Math.max(...counts)).toBeLessThan(56);
  });

  test('tells a bounded number of types apart, and nothing of an empty listing', async () => {
    const kinds = Array.from({ length: 100 }, (_, n) => ({ key: `a.x${n}` }));
    const { types } = (await surveyOf(kinds)).survey;
    expect(Object.keys(types)).toHaveLength(65);
    expect(types.others).toMatchObject({ images: 36 });
    const { survey, drawn } = await surveyOf([]);
    expect(survey).toMatchObject({ keys: 0, images: 0, types: {}, duplicates: null });
    expect(drawn).toEqual([]);
  });
});

/** One second an image to encode, a fourth to decode; the n-th image fails. */
function tryWith(images: number, fails: (image: number) => boolean, own: Partial<TryContext> = {}) {
  let now = 0;
  const store = new MemoryStore('s3://archive');
  const refs = Array.from(
    { length: images },
    (_, n): ImageRef => ({ key: `${n}.jpg`, etag: null, bytes: 100 }),
  );
  return tryImages(refs, {
    ...{ store, batchSize: 16, seed: 1, featureType: 'float16' as const, nowMs: () => now },
    options: exampleRun.options,
    encodeStage: {
      async encode(batch) {
        now += 1_000 * batch.length;
        const outcomes = batch.map(({ key }) =>
          fails(Number.parseInt(key, 10))
            ? {
                status: 'failed' as const,
                failure: { class: 'corrupt' as const, message: 'cut off' },
              }
            : { status: 'encoded' as const, etag: 'e', width: 4, height: 3 },
        );
        const encoded = outcomes.filter(({ status }) => status === 'encoded').length;
        const payload = Buffer.alloc(20 * encoded);
        const features = {
          dtype: 'float16' as const,
          shape: [encoded, 1, 10] as [number, number, number],
          payload,
        };
        return { outcomes, features: encoded > 0 ? features : undefined };
      },
    },
    decodeStage: {
      ...{ model: exampleRun.model, jobConcurrency: 2 },
      async decode({ shape: [count] }) {
        now += 250 * count;
        const candidate = { caption: 'a boat', logProb: -1, score: -0.5 };
        return Array.from({ length: count }, () => ({ ...candidate, candidates: [candidate] }));
      },
    },
    ...own,
  });
}

describe('a try', () => {
  test('times the stages together and apart, and says what failed', async () => {
    const trial = await tryWith(40, (image) => image % 10 === 0);
    expect(trial).toMatchObject({ images: 40, captioned: 36, skipped: 0, featureBytes: 20 });
    expect(trial.failed.images).toBe(4);
    expect(trial.failed.share.expected).toBeCloseTo(0.1);
    expect(trial.failed.share.low).toBeCloseTo(0.0396, 3); // Wilson's, of 4 in 40
    expect(trial.failed.share.high).toBeCloseTo(0.2305, 3);
    expect(trial.failedByClass).toMatchObject({ corrupt: { images: 4, messages: ['cut off'] } });
    expect(trial.seconds.encode.expected).toBeCloseTo(1);
    expect(trial.seconds.decode.expected).toBeCloseTo(0.225);
    expect(trial.seconds.both.expected).toBeCloseTo(1.225);
  });

  test('of answers that cost asks once about each image', async () => {
    const seen: number[] = [];
    const onProgress = (done: number, of: number) => seen.push(done / of);
    const trial = await tryWith(8, () => false, { once: true, onProgress });
    expect(seen.at(-1)).toBe(1);
    expect(seen).toHaveLength(8);
    expect(trial.seconds.encode).toEqual(trial.seconds.both);
    expect(trial.seconds.decode.expected).toBe(0);
  });

  test('of which every image fails has no captions to time', async () => {
    const trial = await tryWith(3, () => true);
    expect(trial).toMatchObject({ images: 3, captioned: 0, featureBytes: 0 });
    expect(trial.failed.share).toMatchObject({ expected: 1, high: 1 });
    expect(trial.seconds.decode.expected).toBe(0);
    const { estimate } = await planWith(trial);
    expect(estimate.failed?.expected).toBe(1_000);
  });
});

async function planWith(trial: Trial | undefined, fields: Partial<PlanContext> = {}) {
  const infos = Array.from({ length: 1_000 }, (_, n) => ({
    key: `${10_000 + n}.jpg`,
    bytes: 2 ** 20,
    storageClass: n < 250 ? 'STANDARD_IA' : 'STANDARD',
  }));
  return planOf({
    ...{ run: { ...exampleRun, batchSize: 50, chunkBatches: 128 }, window: 256, trial },
    model: { kind: 'served' } as never, // what it is does not matter here
    surveyed: await surveyOf(infos),
    ...{ workers: { captioners: 1 }, prices: listPrices, output: 's3://captions' },
    ...{ features: { home: 'redis', bytesMax: 2 ** 30 }, now: new Date('2026-11-28T12:00:00Z') },
    ...fields,
  });
}

describe('an estimate', () => {
  test('divides the time by machines, and waits for the slower pool', async () => {
    const trial = await tryWith(40, () => false);
    const seconds = async (workers: PlanContext['workers']) =>
      (await planWith(trial, { workers })).estimate.seconds?.expected ?? 0;
    expect(await seconds({ captioners: 1 })).toBeCloseTo(1_252, 0);
    expect(await seconds({ captioners: 5 })).toBeCloseTo(252, 0);
    expect(await seconds({ encoders: 2, decoders: 1 })).toBeCloseTo(502, 0);
    expect(await seconds({ encoders: 8, decoders: 1 })).toBeCloseTo(252, 0);
    const { estimate } = await planWith(trial, { workers: { encoders: 2, decoders: 1 } });
    expect(estimate.workerHours?.expected).toBeCloseTo((3 * 502) / 3600, 3);
  });

  test('adds up what it costs, and says what may come on top', async () => {
    const { cost, requests } = (await planWith(undefined)).estimate;
    expect(requests.source).toMatchObject({ list: 2, get: 1_000 });
    const found = Object.fromEntries(cost.items.map(({ what, usd }) => [what, usd.expected]));
    // 750 at $0.0004 and 250 at $0.001 for 1,000 GETs, and two listings.
    expect(found['requests to the source']).toBeCloseTo(0.00056, 8);
    expect(found['reading from colder storage classes']).toBeCloseTo((250 / 1024) * 0.01, 8);
    const sum = Object.values(found).reduce((all, usd) => all + usd, 0);
    expect(cost.usd.expected).toBeCloseTo(sum, 12);
    expect(cost.besides).toMatchObject([
      { what: 'images transferred out', usd: { expected: (1_000 / 1024) * 0.09 } },
    ]);
  });

  test('leaves out what gets the caption of another image', async () => {
    const infos = Array.from({ length: 100 }, (_, n) => ({
      ...{ key: `${100 + n}.jpg`, etag: `e${n % 75}`, bytes: 1_000 },
    }));
    const surveyed = await surveyOf(infos);
    const run = { ...exampleRun, duplicates: 'etag' as const, batchSize: 50, chunkBatches: 128 };
    const trial = await tryWith(40, () => false);
    const { estimate } = await planWith(trial, { surveyed, run });
    expect(estimate).toMatchObject({ copied: 25, bytes: { read: { expected: 75_000 } } });
    expect(estimate.requests.source.get).toBe(75);
    expect(estimate.seconds?.expected).toBeCloseTo(75 * 1.25 + 2);
  });

  test('without a try tells no time, and what is known nevertheless', async () => {
    const { estimate } = await planWith(undefined);
    expect(estimate.seconds).toBeUndefined();
    expect(estimate).toMatchObject({ parts: 20, bytes: { read: { expected: 1_000 * 2 ** 20 } } });
    expect(estimate.redisBytesMax).toBeGreaterThan(1_000_000);
  });
});

describe('prices', () => {
  test('are those that AWS lists, but where a file says others', () => {
    const prices = parsePrices(
      '{"getPer1000": 0.001, "workerHour": {"encoder": 1.2}, "reading": {"COLD": {"perGb": 1}}}',
      'prices.json',
    );
    expect(prices).toMatchObject({
      ...{ getPer1000: 0.001, putPer1000: listPrices.putPer1000, workerHour: { encoder: 1.2 } },
      reading: { ...listPrices.reading, COLD: { getPer1000: 0.0004, perGb: 1 } },
    });
    expect(prices.source).toBe(`prices.json, else ${listPrices.source}`);
  });

  test.each([
    ['', /^prices\.json: expected prices as JSON/],
    ['[]', /^prices\.json: .*expected object/],
    ['{"putPer1000": -1}', /^prices\.json: putPer1000: /],
    ['{"putPer1000": "0.005"}', /^prices\.json: putPer1000: .*expected number/],
    ['{"putPer100": 1}', /^prices\.json: .*putPer100.* Prices are source, asOf, listPer1000/],
    ['{"workerHour": {"__proto__": 1, "x": 2}}', /^prices\.json: workerHour: /],
    ['{"asOf": "yesterday"}', /^prices\.json: asOf: /],
  ])('%s is refused', (text, message) => {
    expect(() => parsePrices(text, 'prices.json')).toThrow(message);
  });
});
