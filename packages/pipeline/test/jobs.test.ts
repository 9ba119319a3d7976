import {
  countDivisions,
  type DecodeJob,
  decodeJobSchema,
  divide,
  encodeJobSchema,
  halve,
  imageRefs,
} from '@cutline/pipeline';
import {
  attemptSchema,
  describeAttempt,
  jobId,
  parseJobId,
  runIdSchema,
} from '@cutline/shared/run';
import { describe, expect, test } from 'vitest';
import { encodeJob as exampleJob, imagesOf } from './support/example-jobs.ts';

const images = imagesOf;
const encodeJob = exampleJob({ run: 'archive-1920s', batch: 7 });
const { images: _, ...batch } = encodeJob;
const decodeJob: DecodeJob = {
  ...batch,
  images: [
    { status: 'encoded', key: 'a', etag: 'A', width: 64, height: 48 },
    { status: 'skipped', key: 'b.txt', etag: null, reason: 'not-an-image' },
    { status: 'failed', key: 'c', etag: null, failure: { class: 'corrupt', message: 'no' } },
  ],
  features: null,
  deferred: images('d'),
};

test('what a list of keys says of an image stays with it, there and back', () => {
  const [columns, source] = [{ title: 'The mill' }, { id: '7' }];
  const withColumns = decodeJob.images.map((image) =>
    image.status === 'skipped' ? { ...image, source } : { ...image, columns, source },
  );
  const job = decodeJobSchema.parse({ ...decodeJob, images: withColumns });
  const refs = imageRefs(job);
  expect(refs.map((ref) => ref.columns)).toEqual([columns, undefined, columns, undefined]);
  expect(refs.map((ref) => ref.source)).toEqual([source, source, source, undefined]);
});

test.each([
  ['0', 'first'],
  ['0r', 'remainder'],
  ['3', 'generation 3'],
  ['12rrrabe', 'generation 12, remainder 3, first half, second half, encoded again'],
])('attempt %s is "%s" to a reader of logs', (attempt, words) => {
  expect(describeAttempt(attempt)).toBe(words);
});

describe('a job id', () => {
  test('says run, batch and attempt, and is read back', () => {
    expect(jobId(encodeJob)).toBe('archive-1920s.000007.0');
    for (const attempt of ['0', '12', '0r', '3rabe']) {
      for (const number of [0, 7, 999_999, 1_000_000]) {
        const named = { run: 'a_b-C1', batch: number, attempt };
        expect(parseJobId(jobId(named))).toEqual(named);
      }
    }
  });

  test('is one that BullMQ takes: no colon, and not a bare number', () => {
    expect(jobId({ run: '123', batch: 4, attempt: '0' })).not.toMatch(/:|^\d+$/);
  });

  test('is not mistaken for one that something else made', () => {
    for (const id of ['17', 'repeat:1', 'a.b.0', 'a.1', 'a.1.x', 'a.1.0.2', 'a.1.0z', '']) {
      expect(parseJobId(id), id).toBeUndefined();
    }
  });

  test('is different for every division', () => {
    const [a, b] = halve(encodeJob);
    const r = divide(encodeJob, 'r', images('a'));
    const e = divide(encodeJob, 'e', images('a'));
    const ids = [encodeJob, a, b, r, e, ...halve(a), ...halve(r)].map(jobId);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('the name of a run', () => {
  test.each(['a', '7', '20261122-204312', 'a_b-c', 'x'.repeat(64)])('may be %s', (name) => {
    expect(runIdSchema.safeParse(name).success).toBe(true);
  });

  test.each(['', '-a', '_a', 'a b', 'a.b', 'a:b', 'a/b', 'ä', 'x'.repeat(65), 'a\n'])(
    'may not be %j',
    (name) => {
      expect(runIdSchema.safeParse(name).success).toBe(false);
    },
  );
});

describe('attempts', () => {
  test('tell how often a batch was divided, and in which way', () => {
    expect(countDivisions('0')).toBe(0);
    expect(countDivisions('12')).toBe(0);
    expect(countDivisions('0rrabe')).toBe(5);
    expect(countDivisions('0rrabe', 'r')).toBe(2);
    expect(countDivisions('0rrabe', 'e')).toBe(1);
    expect(countDivisions('10', 'a')).toBe(0);
  });

  test('are labels that can be parsed', () => {
    for (const attempt of ['0', '7', '10ra']) expect(attemptSchema.parse(attempt)).toBe(attempt);
    for (const wrong of ['', 'r', 'r0', '0x', '0 ', '0.1', '-1']) {
      expect(attemptSchema.safeParse(wrong).success, wrong).toBe(false);
    }
  });
});

describe('dividing', () => {
  test('keeps everything of the batch but its attempt and its images', () => {
    const remainder = divide(decodeJob, 'r', decodeJob.deferred);
    expect(remainder).toEqual({ ...batch, attempt: '0r', images: images('d') });
    expect(encodeJobSchema.parse(remainder)).toEqual(remainder);
  });

  test('in halves gives every image to one of them, in order, the middle one to the first', () => {
    const [first, second] = halve(encodeJob);
    expect([first.attempt, second.attempt]).toEqual(['0a', '0b']);
    expect(first.images).toEqual(images('a', 'b', 'c'));
    expect(second.images).toEqual(images('d', 'e'));
  });

  test('goes on until every image stands alone', () => {
    let jobs = [encodeJob];
    for (let round = 0; jobs.some((job) => job.images.length > 1); round++) {
      expect(round).toBeLessThan(3); // 2^3 > 5
      jobs = jobs.flatMap((job) => (job.images.length > 1 ? halve(job) : [job]));
    }
    expect(jobs.flatMap((job) => job.images)).toEqual(encodeJob.images);
    expect(new Set(jobs.map(jobId)).size).toBe(5);
  });
});

describe('the images of a job, to encode them', () => {
  test('are those of an encode job as they are', () => {
    expect(imageRefs(encodeJob)).toEqual(encodeJob.images);
  });

  test('are all of a decode job: encoded, failed, skipped and deferred ones', () => {
    expect(imageRefs(decodeJob)).toEqual([
      { key: 'a', etag: 'A', bytes: null },
      { key: 'b.txt', etag: null, bytes: null, skipped: 'not-an-image' },
      { key: 'c', etag: null, bytes: null },
      ...images('d'),
    ]);
  });
});

describe('job data', () => {
  test('survives the way through Redis', () => {
    expect(encodeJobSchema.parse(JSON.parse(JSON.stringify(encodeJob)))).toEqual(encodeJob);
    expect(decodeJobSchema.parse(JSON.parse(JSON.stringify(decodeJob)))).toEqual(decodeJob);
  });

  test.each([
    ['a field that this version does not know', { ...encodeJob, priority: 1 }],
    ['no images', { ...encodeJob, images: [] }],
    ['an empty key', { ...encodeJob, images: images('') }],
    ['a run that could leave its folder', { ...encodeJob, run: '../other' }],
    [
      'options that contradict each other',
      {
        ...encodeJob,
        options: { ...encodeJob.options, candidates: 9 },
      },
    ],
    ['no model', { ...encodeJob, model: undefined }],
  ])('is refused with %s', (_name, wrong) => {
    expect(encodeJobSchema.safeParse(wrong).success).toBe(false);
  });
});
