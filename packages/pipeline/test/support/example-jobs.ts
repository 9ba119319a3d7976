import type { EncodeJob } from '@cutline/pipeline';

/** A job as the producer makes it, of five images. */
export function encodeJob(fields: Partial<EncodeJob> = {}): EncodeJob {
  return {
    run: 'r1',
    batch: 0,
    attempt: '0',
    source: 's3://archive',
    output: { store: 's3://captions', prefix: 'a/' },
    model: 'tiny@0123456789ab',
    options: {
      beamSize: 3,
      candidates: 1,
      lengthPenalty: 0.7,
      lengthMax: 20,
      lengthMin: 0,
      noRepeatNgram: 0,
      attention: false,
    },
    featureType: 'float16',
    sidecars: ['txt'],
    keep: null,
    images: imagesOf('a', 'b', 'c', 'd', 'e'),
    ...fields,
  };
}

export const imagesOf = (...keys: string[]) =>
  keys.map((key) => ({ key, etag: `etag-${key}`, bytes: 10 }));

/** The same, of one image; for queues, where what is in a job does not matter. */
export function smallJob(batch = 0, fields: Partial<EncodeJob> = {}): EncodeJob {
  return encodeJob({
    batch,
    images: [{ key: `${batch}.jpg`, etag: null, bytes: null }],
    ...fields,
  });
}
