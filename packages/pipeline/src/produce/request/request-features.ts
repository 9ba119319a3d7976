import { type AnyModel, encoderHash } from '@cutline/inference';
import { UserError } from '@cutline/shared/errors';
import type { Run, RunFlags } from '@cutline/shared/run';
import { parsePlace } from '@cutline/shared/stores';

/**
 * What flags ask of a run's features: how they are written, and whether they are kept.
 * @throws UserError for a model that has none
 */
export function requestFeatures(
  { featureType, keepFeatures }: Pick<RunFlags, 'featureType' | 'keepFeatures'>,
  model: AnyModel,
): Pick<Run, 'featureType' | 'keepFeatures'> {
  if (model.kind === 'served') {
    const asked =
      featureType !== 'float16'
        ? `--feature-type ${featureType}`
        : keepFeatures !== undefined && '--keep-features';
    if (!asked) return {};
    throw new UserError(
      `${asked}: the model ${model.description.name} is behind a server, and has answers in the ` +
        'place of features.',
    );
  }
  const encoder = encoderHash(model.description);
  const isBeside = keepFeatures === undefined || keepFeatures === 'output';
  const location = isBeside ? null : parsePlace(keepFeatures);
  return {
    ...(featureType !== 'float16' && { featureType }),
    ...(keepFeatures !== undefined && { keepFeatures: { location, encoder } }),
  };
}
