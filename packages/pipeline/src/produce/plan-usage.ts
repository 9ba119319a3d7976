import type { AnyModel } from '@cutline/inference';
import { costOf, type UsageTotals } from '@cutline/shared/run';

/**
 * What so many images would take of a model behind a server, if each took what the made-up image
 * did that was asked about when the model was added. Answers differ, and so do images: an estimate.
 *
 * @returns undefined of models whose weights are here, and where nothing was measured
 */
export function planUsage(model: AnyModel, images: number): UsageTotals | undefined {
  if (model.kind !== 'served' || images === 0) return undefined;
  const { measured, price } = model.description;
  if (!measured) return undefined;
  const promptTokens = images * measured.promptTokens;
  const completionTokens = images * measured.completionTokens;
  return {
    answers: images,
    promptTokens,
    completionTokens,
    seconds: Math.round(images * measured.seconds * 1e3) / 1e3,
    ...(price && { costUsd: costOf({ promptTokens, completionTokens }, price) }),
  };
}
