import { gzipSync } from 'node:zlib';
import type { ImageRef } from '@cutline/shared/run';
import { z } from 'zod';
import { costOf, costSchema } from './cost.ts';
import {
  batchesIn,
  chunksIn,
  requestsOfOutput,
  requestsOfSource,
  requestsSchema,
  type Work,
} from './count-requests.ts';
import { exactly, type Interval, intervalSchema, larger, plus, scaled } from './interval.ts';
import type { Prices } from './prices.ts';
import type { Amount, Survey } from './survey-listing.ts';
import type { Trial } from './trial.ts';

/**
 * What a run will take, from what was counted and what was tried. Intervals are of chance alone, as
 * far as a draw and a short time tell: that workers have other machines, or that a store is slower
 * by night, is in none of them.
 */

export const workersSchema = z.union([
  /** Machines like this one, each of which does both. */
  z.strictObject({ captioners: z.int().positive() }),
  z.strictObject({ encoders: z.int().positive(), decoders: z.int().positive() }),
]);

export type Workers = z.infer<typeof workersSchema>;

export const estimateSchema = z.strictObject({
  /** Of the run, from its beginning to its end; absent where nothing was tried. */
  seconds: intervalSchema.optional(),
  workerHours: intervalSchema.optional(),
  /** Images that will fail. */
  failed: intervalSchema.optional(),
  /** Images that get the caption of another, and are not read. */
  copied: z.int().nonnegative(),
  requests: z.strictObject({ source: requestsSchema, output: requestsSchema }),
  bytes: z.strictObject({ read: intervalSchema, written: intervalSchema.optional() }),
  /** Jobs and features of the run in Redis, at most. */
  redisBytesMax: z.number().nonnegative(),
  parts: z.int().nonnegative(),
  /** Of rows, in parts. */
  resultBytes: intervalSchema.optional(),
  /** Files that parts become in the end; 0 where they stay. */
  files: z.int().nonnegative(),
  cost: costSchema,
});

export type Estimate = z.infer<typeof estimateSchema>;

export interface EstimateContext {
  survey: Survey;
  drawn: readonly ImageRef[];
  trial: Trial | undefined;
  workers: Workers;
  /** As the run asks for it. `compacts`: parts of a chunk become one file.
   *  `copies`: duplicates are captioned once. */
  run: {
    batchSize: number;
    chunkBatches: number;
    window: number;
    sidecarKinds: number;
    compacts: boolean;
    copies: boolean;
  };
  features: {
    /** Of an image. */
    bytes: number;
    /** In flight at most, of all workers. */
    bytesMax: number;
    kept: boolean;
    home: 'redis' | 'other redis' | 'store';
  };
  /** Whether they are in S3, where requests cost. */
  isS3: { source: boolean; output: boolean };
  prices: Prices;
}

/** From the start of the producer to the first job, and from the last part to the summary. */
const secondsOfRun = 2;

export function estimate(context: EstimateContext): Estimate {
  const { survey, trial, run } = context;
  const work = workOf(context);
  const requests = { source: requestsOfSource(work), output: requestsOfOutput(work) };
  const copied = copiedOf(context);
  const read = bytesToRead(context);
  const results = trial && resultBytes(context);
  const times = trial && timesOf(context, trial);
  const captioned = survey.images - copied.images;
  const workerHours = times?.byKind ?? {};
  const figures = { requests, read, workerHours, survey, captioned, trial };
  return {
    ...(times && { seconds: times.seconds, workerHours: times.workerHours }),
    ...(trial && { failed: scaled(trial.failed.share, survey.images) }),
    copied: copied.images,
    requests,
    bytes: { read, ...(results && { written: writtenBytes(context, results) }) },
    redisBytesMax: redisBytesMax(context),
    parts: batchesIn(work),
    files: run.compacts ? chunksIn(work) : 0,
    ...(results && { resultBytes: results }),
    cost: costOf(figures, context.prices, context.isS3),
  };
}

function copiedOf({ survey: { duplicates }, run }: EstimateContext): Amount {
  return run.copies && duplicates ? duplicates : { images: 0, bytes: 0 };
}

function workOf(context: EstimateContext): Work {
  const { survey, trial, run, features, workers } = context;
  const { images, keys } = survey;
  const copies = copiedOf(context).images;
  const captioned = trial ? trial.captioned / trial.images : 1;
  return {
    keys,
    images: images - copies,
    copies,
    listed: listedImages(survey),
    ...{ batchSize: run.batchSize, chunkBatches: run.chunkBatches },
    sidecars: { images: Math.round(images * captioned), kinds: run.sidecarKinds },
    features: { kept: features.kept, stored: features.home === 'store' },
    decoders: 'decoders' in workers ? workers.decoders : workers.captioners,
    handsOver: 'decoders' in workers,
    compacts: run.compacts,
  };
}

/** In the manifest: those that are skipped, too. */
export function listedImages({ images, skippedByReason }: Survey): number {
  return Object.values(skippedByReason).reduce((sum, n) => sum + n, images);
}

/** What the listing says, and for the rest what was seen. */
function bytesToRead(context: EstimateContext): Interval {
  const { survey, trial } = context;
  const rest = trial ? scaled(trial.imageBytes, survey.unsized) : exactly(0);
  return plus(rest, survey.bytes - copiedOf(context).bytes);
}

function timesOf(context: EstimateContext, { seconds }: Trial) {
  const { survey, workers } = context;
  const images = survey.images - copiedOf(context).images;
  const hours = (interval: Interval, n: number) => scaled(interval, n / 3600);
  if ('captioners' in workers) {
    const { captioners } = workers;
    const all = plus(scaled(seconds.both, images / captioners), secondsOfRun);
    const workerHours = hours(all, captioners);
    return { seconds: all, workerHours, byKind: { captioner: workerHours } };
  }
  const { encoders, decoders } = workers;
  const slower = larger(
    scaled(seconds.encode, images / encoders),
    scaled(seconds.decode, images / decoders),
  );
  const all = plus(slower, secondsOfRun);
  return {
    seconds: all,
    workerHours: hours(all, encoders + decoders),
    byKind: { encoder: hours(all, encoders), decoder: hours(all, decoders) },
  };
}

function resultBytes({ survey, trial }: EstimateContext): Interval {
  const skipped = (listedImages(survey) - survey.images) * skippedRowBytes;
  return plus(scaled(trial?.rowBytes ?? exactly(0), survey.images), skipped);
}

/** Rows in parts, and again in files where they become some; the manifest, and ledgers. */
function writtenBytes(context: EstimateContext, results: Interval): Interval {
  const copies = context.run.compacts ? 1 + compactedShare : 1;
  return plus(scaled(results, copies), manifestBytes(context));
}

/** Of rows as JSON Lines, what they are in a file of a chunk (record 32). */
const compactedShare = 0.09;

/** A row that only says why, without its key. */
const skippedRowBytes = 120;

/** Of a job, besides its images; what BullMQ has of it, too. */
const jobBytes = 1_500;
/** What a decode job says of an image more than the manifest does. */
const encodedBytes = 60;

/** Rows of the manifest as they are compressed, and what ledgers say of a part. */
function manifestBytes({ drawn, survey, run }: EstimateContext): number {
  if (drawn.length === 0) return 0;
  const listed = listedImages(survey);
  const rows = gzipSync(drawn.map(lineOf).join('')).length / drawn.length;
  return Math.round(listed * rows + batchesIn({ listed, ...run }) * ledgerBytes);
}

const ledgerBytes = 200;

function lineOf(ref: ImageRef): string {
  return `${JSON.stringify(ref)}\n`;
}

/**
 * A window of jobs, and features up to the budget or of as many batches: that is what the run may
 * need, where decoders do not keep up; where they do, it is far less.
 */
function redisBytesMax({ survey, drawn, run, features }: EstimateContext): number {
  const { window, batchSize } = run;
  const refBytes = drawn.reduce((sum, ref) => sum + Buffer.byteLength(lineOf(ref)), 0);
  const each = drawn.length === 0 ? 0 : refBytes / drawn.length;
  const batches = Math.min(window, batchesIn({ listed: listedImages(survey), batchSize }));
  const inWindow = Math.min(batches * batchSize, listedImages(survey));
  const jobs = batches * jobBytes + inWindow * (each + encodedBytes);
  const inRedis = features.home === 'redis' && !features.kept;
  const waiting = inRedis ? Math.min(inWindow * features.bytes, features.bytesMax) : 0;
  return Math.round(jobs + waiting);
}
