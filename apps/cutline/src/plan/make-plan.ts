import { readFile } from 'node:fs/promises';
import { type AnyModel, defaultBundleFolder, describeModel } from '@cutline/inference';
import {
  listPrices,
  outputLocation,
  type Plan,
  parsePrices,
  planOf,
  requestRun,
  requireNoRun,
  surveyRun,
  type Trial,
  tryImages,
  type Workers,
  writePlan,
} from '@cutline/pipeline';
import { describeError, UserError } from '@cutline/shared/errors';
import { type Closers, Metrics, readSettings, storeConfig } from '@cutline/shared/process';
import { type ImageRef, type Run, type RunFlags, RunStore } from '@cutline/shared/run';
import { StorePool } from '@cutline/shared/stores';
import { openStages, stageSettings } from '../open-stages.ts';
import { formatCount } from '../terminal/format.ts';
import { say } from '../terminal/say.ts';
import { createStatusLine } from '../terminal/status-line.ts';

/** What a plan asks for, besides what its run would. */
export interface PlanFlags extends Omit<RunFlags, 'dryRun'> {
  /** Images that are tried; 0: none. */
  try: number;
  encoders?: number;
  decoders?: number;
  prices?: string;
}

export const planSettings = [
  ...stageSettings,
  's3PathStyle',
  'features',
  'featureBytesMax',
] as const;

/**
 * Lists what a run with these flags would, tries some of it, and reckons what the whole takes.
 * Nothing is written, unless the run is named: then the plan is, where that run will be.
 *
 * @throws UserError, StoreError
 */
export async function makePlan(
  source: string,
  flags: PlanFlags & Record<string, unknown>,
  closers: Closers,
  now = new Date(),
): Promise<{ plan: Plan; writtenTo?: string }> {
  const settings = readSettings(flags, planSettings);
  const bundleFolder = settings.model ?? defaultBundleFolder();
  const workers = workersOf(flags);
  const prices = flags.prices === undefined ? listPrices : await readPrices(flags.prices);
  const run = await requestRun(source, flags, bundleFolder, now);
  const model = await describeModel(bundleFolder);
  const onNotice = (text: string) => say(process.stderr, text);
  const stores = new StorePool({ ...storeConfig(settings), onNotice });
  closers.add('stores', () => stores.close());
  const output = flags.output === undefined ? undefined : outputLocation(flags);
  const runStore = await openRun(flags, stores);
  if (runStore) await requireNoRun(runStore);
  const surveyed = await surveyRun(run, {
    ...{ stores, output, tries: flags.try, seed: flags.seed },
    onNote: onNotice,
  });
  const trial = await tryDrawn(surveyed.drawn.slice(0, flags.try), {
    ...{ run, model, bundleFolder, settings, stores, seed: flags.seed, closers },
  });
  const features = { home: settings.features, bytesMax: settings.featureBytesMax };
  const plan = planOf({
    ...{ run, window: flags.window, model, surveyed, trial, workers, prices, features, now },
    output: output?.store,
  });
  if (!runStore) return { plan };
  await writePlan(runStore, plan);
  return { plan, writtenTo: `${runStore.url}plan.json` };
}

/** @throws UserError where one is said without the other */
function workersOf({ encoders, decoders }: PlanFlags): Workers {
  if (encoders === undefined && decoders === undefined) return { captioners: 1 };
  if (encoders !== undefined && decoders !== undefined) return { encoders, decoders };
  throw new UserError(
    'Give --encoders and --decoders, how many machines like this one there will be for each; or ' +
      'neither, and one does both.',
  );
}

async function readPrices(path: string) {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new UserError(`--prices ${path} cannot be read: ${describeError(cause)}.`, { cause });
  }
  return parsePrices(text, path);
}

/** Where the plan is written; undefined where the run has no name. */
async function openRun(
  flags: Pick<PlanFlags, 'output' | 'run'>,
  stores: StorePool,
): Promise<RunStore | undefined> {
  if (flags.run === undefined) return undefined;
  const { store: url, prefix } = outputLocation(flags);
  const store = await stores.open(url);
  await store.check();
  return new RunStore(store, prefix, flags.run);
}

interface TryOptions {
  run: Run;
  model: AnyModel;
  bundleFolder: string;
  settings: Parameters<typeof openStages>[2]['settings'];
  stores: StorePool;
  seed: number;
  closers: Closers;
}

/** @returns undefined where there is nothing to try */
async function tryDrawn(
  images: readonly ImageRef[],
  { run, model, bundleFolder, settings, stores, seed, closers }: TryOptions,
): Promise<Trial | undefined> {
  if (images.length === 0) return undefined;
  const status = createStatusLine(process.stderr);
  status.show('loading the model …');
  try {
    const context = { settings, metrics: new Metrics(), closers, warmUp: true };
    const { encodeStage, decodeStage } = await openStages(model, bundleFolder, context);
    const { batchSize, options, featureType = 'float16' } = run;
    return await tryImages(images, {
      ...{ encodeStage, decodeStage, batchSize, options, featureType, seed },
      store: await stores.open(run.source.store),
      once: model.kind === 'served',
      nowMs: () => performance.now(),
      onProgress: (done, of) =>
        status.show(
          `trying ${formatCount(images.length)} images … ${Math.floor((100 * done) / of)}%`,
        ),
    });
  } finally {
    status.clear();
  }
}
