import type { FailureClass, SkipReason } from '@cutline/shared/errors';
import type {
  CaptionedRow,
  Claim,
  FailedRow,
  ImageRef,
  Run,
  SkippedRow,
} from '@cutline/shared/run';

/** What runs are made of, for tests that care for one field or two. */

export const time = '2026-11-22T20:43:12.000Z';

/** Batches of two images, chunks of two batches. */
export const exampleRun: Run = {
  format: 2,
  run: 'r1',
  created: time,
  source: { store: 's3://archive', prefix: '' },
  selection: { keysFrom: null, include: [], exclude: [], limit: null, sample: null },
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
  batchSize: 2,
  chunkBatches: 2,
  cutline: '0.1.0',
};

export function claimOf(generation: number, fields: Partial<Claim> = {}): Claim {
  return {
    format: 3,
    run: 'r1',
    generation,
    kind: 'produce',
    retry: [],
    owner: `process ${generation}`,
    made: time,
    ...fields,
  };
}

export function imageOf(key: string, skipped?: SkipReason): ImageRef {
  return { key, etag: `etag-${key}`, bytes: 10, ...(skipped && { skipped }) };
}

export function captionedRow(key: string, caption = `a ${key}`): CaptionedRow {
  const candidates = [{ caption, logProb: -2, score: -1 }];
  const text = { caption, logProb: -2, score: -1, candidates };
  const { model } = exampleRun;
  return { key, etag: `etag-${key}`, status: 'captioned', ...text, width: 64, height: 48, model };
}

export function failedRow(key: string, failureClass: FailureClass = 'corrupt'): FailedRow {
  const failure = { class: failureClass, message: `${key} is ${failureClass}` };
  return { key, etag: `etag-${key}`, status: 'failed', failure };
}

export function skippedRow(key: string, reason: SkipReason = 'duplicate'): SkippedRow {
  return { key, etag: `etag-${key}`, status: 'skipped', reason };
}
