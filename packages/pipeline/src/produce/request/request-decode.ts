import { describeModel, encoderHash } from '@cutline/inference';
import { UserError } from '@cutline/shared/errors';
import { version } from '@cutline/shared/process';
import {
  type CaptionFlags,
  type Run,
  type RunFlags,
  type RunStore,
  readRunState,
} from '@cutline/shared/run';
import { requestCaptions } from './request-captions.ts';
import { requestName } from './run-request.ts';

/** What is asked of a run that decodes what another kept. */
export interface DecodeFlags
  extends CaptionFlags,
    Pick<
      RunFlags,
      'run' | 'sidecars' | 'existing' | 'minScore' | 'priority' | 'deadline' | 'keepParts'
    > {}

/**
 * The run that the flags ask for: of the images of another, in its batches, from its features.
 *
 * @param keeper the run that kept them
 * @param now names the run where the flags do not.
 * @throws UserError for a run that cannot be decoded, and for a model that cannot decode it
 */
export async function requestDecode(
  keeper: RunStore,
  flags: DecodeFlags,
  bundleFolder: string,
  now = new Date(),
): Promise<Run> {
  const run = requestName(flags.run, now);
  const { run: kept, summary } = await readRunState(keeper);
  if (!kept.keepFeatures) throw keptNone(kept);
  if (!summary) {
    throw new UserError(
      `Run "${kept.run}" is not finished: decode it when it is (cutline resume ${kept.run}).`,
    );
  }
  const model = await describeModel(bundleFolder);
  if (model.kind === 'served' || encoderHash(model.description) !== kept.keepFeatures.encoder) {
    throw new UserError(
      `Model ${model.id} has another encoder than ${kept.model}, from which run "${kept.run}" ` +
        'has its features: choose one with the same encoder, for images of the same size (--model).',
    );
  }
  const { source, selection, batchSize, chunkBatches } = kept;
  return {
    format: 2,
    run,
    created: now.toISOString(),
    ...{ source, selection },
    model: model.id,
    options: await requestCaptions(flags, model, bundleFolder),
    sidecars: flags.sidecars,
    sidecarRules: { existing: flags.existing, scoreMin: flags.minScore ?? null },
    ...(flags.priority !== 'normal' && { priority: flags.priority }),
    ...(flags.keepParts && { keepParts: true as const }),
    ...(flags.deadline !== undefined && { deadline: flags.deadline }),
    decodes: { run: kept.run, location: kept.keepFeatures.location },
    ...{ batchSize, chunkBatches },
    cutline: version,
  };
}

function keptNone({ run, decodes }: Run): UserError {
  return new UserError(
    decodes
      ? `Run "${run}" has the features of run "${decodes.run}": decode that one.`
      : `Run "${run}" kept no features: only what "cutline run --keep-features" has captioned can ` +
          'be decoded again.',
  );
}
