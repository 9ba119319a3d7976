import { type AnyModel, featureBytes } from '@cutline/inference';
import { UserError } from '@cutline/shared/errors';
import { version } from '@cutline/shared/process';
import { deadlineSchema, type Run, type RunStore, runIdSchema } from '@cutline/shared/run';
import type { StorePool } from '@cutline/shared/stores';
import { z } from 'zod';
import { isCompacting } from '../produce/chunk/compact-chunk.ts';
import { describeExcluded, resultsPrefix } from '../produce/request/run-request.ts';
import {
  type EstimateContext,
  estimate,
  estimateSchema,
  listedImages,
  workersSchema,
} from './estimate.ts';
import { pricesSchema } from './prices.ts';
import { type SurveyedListing, surveyListing, surveySchema } from './survey-listing.ts';
import { type Trial, trialSchema } from './trial.ts';

/**
 * What a run will take, before it is begun: its listing counted, some images of it tried, and what
 * follows from both. In the run's folder it is `plan.json`, which nothing reads but whoever compares
 * a run with its plan.
 */
export const planSchema = z.strictObject({
  format: z.literal(1),
  run: runIdSchema,
  /** ISO 8601, UTC. */
  made: z.iso.datetime(),
  source: z.strictObject({ store: z.string(), prefix: z.string() }),
  /** The store of its results; null where nobody said so. */
  output: z.string().nullable(),
  model: z.string(),
  batchSize: z.int().positive(),
  deadline: deadlineSchema.optional(),
  workers: workersSchema,
  survey: surveySchema,
  /** Absent where nothing was tried. */
  trial: trialSchema.optional(),
  estimate: estimateSchema,
  prices: pricesSchema,
  cutline: z.string(),
});

export type Plan = z.infer<typeof planSchema>;

/** How many images are drawn, at least: to know how long keys are, and how well they compress. */
const drawnMin = 200;

/**
 * Lists what a run would, and draws some of it.
 *
 * @param options.output where its results would go, which are no images of it
 * @param options.tries how many images are wanted
 * @throws UserError, StoreError
 */
export async function surveyRun(
  { source, selection }: Pick<Run, 'source' | 'selection'>,
  options: {
    stores: StorePool;
    output: { store: string; prefix: string } | undefined;
    tries: number;
    seed: number;
    onNote: (text: string) => void;
  },
): Promise<SurveyedListing> {
  const { stores, output, tries, seed, onNote } = options;
  const store = await stores.open(source.store);
  await store.check();
  const exceptPrefix = output && resultsPrefix(source, output);
  const onExcluded = (keys: number) => onNote(describeExcluded(keys, exceptPrefix));
  return surveyListing(
    [{ store, prefix: source.prefix }, selection, { exceptPrefix, onExcluded, stores }],
    { size: Math.max(tries, drawnMin), seed },
  );
}

export interface PlanContext extends Pick<EstimateContext, 'workers' | 'prices'> {
  run: Run;
  /** Jobs of the run at most, in both queues. */
  window: number;
  model: AnyModel;
  surveyed: SurveyedListing;
  trial: Trial | undefined;
  /** Where the results will be; undefined where nobody said so. */
  output: string | undefined;
  features: { home: string; bytesMax: number };
  now: Date;
}

export function planOf(context: PlanContext): Plan {
  const { run, model, surveyed, trial, workers, prices, features, now } = context;
  const { output } = context;
  const { survey, drawn } = surveyed;
  // A listing of a store is a page after the other; a list is read as the one file that it is.
  const keys = run.selection.keysFrom === null ? survey.keys : 0;
  const listed = listedImages(survey);
  const isStored = /^(s3|file):/.test(features.home);
  const figures = estimate({
    ...{ survey: { ...survey, keys }, drawn, trial, workers, prices },
    run: {
      ...{ batchSize: run.batchSize, chunkBatches: run.chunkBatches, window: context.window },
      sidecarKinds: run.sidecars.length,
      copies: run.duplicates === 'etag',
      compacts: isCompacting(run, 0, Math.min(listed, run.batchSize * run.chunkBatches)),
    },
    features: {
      bytes: trial?.featureBytes ?? bytesOfFeatures(run, model),
      bytesMax: features.bytesMax,
      kept: run.keepFeatures !== undefined,
      home: features.home === 'redis' ? 'redis' : isStored ? 'store' : 'other redis',
    },
    isS3: {
      source: run.source.store.startsWith('s3:'),
      output: output?.startsWith('s3:') ?? false,
    },
  });
  return planSchema.parse({
    format: 1,
    run: run.run,
    made: now.toISOString(),
    ...{ source: run.source, output: output ?? null },
    ...{ model: run.model, batchSize: run.batchSize },
    ...(run.deadline !== undefined && { deadline: run.deadline }),
    ...{ workers, survey },
    ...(trial && { trial }),
    ...{ estimate: figures, prices, cutline: version },
  } satisfies Plan);
}

/** Of a model behind a server, answers: a few lines of text. */
function bytesOfFeatures({ featureType = 'float16' }: Run, model: AnyModel): number {
  if (model.kind === 'served') return 1_000;
  const [locations, channels] = model.description.features.shape;
  return featureBytes(featureType, [locations, channels]);
}

const planName = 'plan.json';

/** @throws UserError where the run is there already: what it takes is no question any more */
export async function requireNoRun(runStore: RunStore): Promise<void> {
  if (!(await runStore.exists())) return;
  throw new UserError(
    `There is a run "${runStore.run}" already at ${runStore.url}: a plan is made before a run. ` +
      'Choose another --run.',
  );
}

/** In place of an earlier one. */
export async function writePlan(runStore: RunStore, plan: Plan): Promise<void> {
  const bytes = Buffer.from(`${JSON.stringify(planSchema.parse(plan), undefined, 2)}\n`);
  const { store, prefix } = runStore;
  await store.put(prefix + planName, bytes, { contentType: 'application/json' });
}

/** @returns undefined where there is none that this version understands */
export async function readPlan(runStore: RunStore): Promise<Plan | undefined> {
  try {
    return await runStore.readObject(planName, planSchema);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}
