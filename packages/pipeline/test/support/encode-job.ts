import type { EncodeJob } from '@cutline/pipeline';

/** A small job that is valid. */
export function encodeJob(batch = 0, { attempt = '0', run = 'r1' } = {}): EncodeJob {
  return {
    run,
    batch,
    attempt,
    source: 's3://archive',
    output: { store: 's3://captions', prefix: '' },
    model: 'tiny@0123456789ab',
    options: {
      beamSize: 1,
      candidates: 1,
      lengthPenalty: 0,
      lengthMax: 9,
      lengthMin: 0,
      noRepeatNgram: 0,
      attention: false,
    },
    sidecars: [],
    images: [{ key: `${batch}.jpg`, etag: null, bytes: null }],
  };
}
