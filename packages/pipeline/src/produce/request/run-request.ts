import { isAbsolute, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AnyModel, describeModel } from '@cutline/inference';
import { UserError } from '@cutline/shared/errors';
import { version } from '@cutline/shared/process';
import {
  batchSizeDefault,
  type CaptionFlags,
  chunkBatchesDefault,
  newRunName,
  type Run,
  type RunFlags,
  runIdSchema,
  type SelectionFlags,
  type SidecarFlags,
  windowDefault,
} from '@cutline/shared/run';
import { type Location, parseLocation, parsePlace } from '@cutline/shared/stores';
import { requestCaptions, requestSelection } from './request-captions.ts';
import { requestFeatures } from './request-features.ts';

/**
 * The run that the flags ask for.
 * @param now names the run where the flags do not.
 * @throws UserError for what is missing or contradicts itself.
 */
export async function requestRun(
  source: string | undefined,
  flags: RunFlags,
  bundleFolder: string,
  now = new Date(),
): Promise<Run> {
  if (!source) {
    throw new UserError('Say where the images are: s3://bucket/prefix or a folder.');
  }
  const run = requestName(flags.run, now);
  const model = await describeModel(bundleFolder);
  const options = await requestCaptions(flags, model, bundleFolder);
  const location = parseLocation(source);
  if (flags.duplicates === 'etag') requireTellingEtags(location, flags);
  return {
    format: 2,
    run,
    created: now.toISOString(),
    source: location,
    selection: requestSelection(flags, model),
    model: model.id,
    options,
    sidecars: flags.sidecars,
    sidecarRules: { existing: flags.existing, scoreMin: flags.minScore ?? null },
    ...(flags.duplicates === 'etag' && { duplicates: 'etag' as const }),
    ...(flags.priority !== 'normal' && { priority: flags.priority }),
    ...(flags.keepParts && { keepParts: true as const }),
    ...(flags.deadline !== undefined && { deadline: flags.deadline }),
    ...requestFeatures(flags, model),
    batchSize: flags.batchSize,
    chunkBatches: chunkBatchesDefault,
    cutline: version,
  };
}

/** @throws UserError where equal ETags say nothing, or copies would lack something */
function requireTellingEtags({ store }: Location, { keepFeatures }: RunFlags): void {
  if (!store.startsWith('s3://')) {
    throw new UserError(
      '--duplicates etag is for images in S3: in a folder, different images may have the same size ' +
        'and time.',
    );
  }
  if (keepFeatures === undefined) return;
  throw new UserError('--duplicates etag keeps no features of copies: leave --keep-features out.');
}

/** What is asked of `cutline caption`: the same, but for what is about queues. */
export type LocalFlags = Pick<RunFlags, 'featureType' | keyof SidecarFlags> &
  CaptionFlags &
  SelectionFlags;

/** @throws UserError for what contradicts itself, and for what the model cannot do */
export async function requestLocal(
  source: string,
  flags: LocalFlags,
  bundleFolder: string,
  now = new Date(),
): Promise<{ request: Run; model: AnyModel }> {
  const model = await describeModel(bundleFolder);
  const queued = {
    batchSize: batchSizeDefault,
    window: windowDefault,
    priority: 'normal',
  } as const;
  const request = await requestRun(source, { ...flags, ...queued }, bundleFolder, now);
  return { request, model };
}

/** The name that was given, or the time. @throws UserError where it is none */
export function requestName(given: string | undefined, now: Date): string {
  const name = runIdSchema.safeParse(given ?? newRunName(now));
  if (name.success) return name.data;
  throw new UserError(`--run "${given}": ${name.error.issues[0]?.message}.`);
}

/** @throws UserError where the flag is missing. */
export function outputLocation(flags: Pick<RunFlags, 'output'>): Location {
  if (!flags.output) {
    throw new UserError(
      'Say where results go: --output s3://bucket/prefix or a folder (or set CUTLINE_OUTPUT).',
    );
  }
  return parsePlace(flags.output);
}

/**
 * The prefix of keys in the source that are results of ours, so that a run into the bucket or
 * folder that it reads does not list what it writes.
 */
export function resultsPrefix(source: Location, output: Location): string | undefined {
  if (output.store === source.store) return `${output.prefix}runs/`;
  if (!output.store.startsWith('file:') || !source.store.startsWith('file:')) return undefined;
  // As paths: in a URL, "#", "?" and "%" are written in another way than in a key.
  const path = relative(fileURLToPath(source.store), fileURLToPath(output.store));
  const segments = path.split(sep);
  return segments[0] === '..' || isAbsolute(path) ? undefined : `${segments.join('/')}/runs/`;
}

/** For whoever wonders why keys are not in the listing. */
export function describeExcluded(keys: number, prefix: string | undefined): string {
  return `left out of the listing: ${keys} results of runs below ${JSON.stringify(prefix)}`;
}
