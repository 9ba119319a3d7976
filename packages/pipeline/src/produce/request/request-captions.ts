import { type AnyModel, checkPrompt, columnsOf } from '@cutline/inference';
import { UserError } from '@cutline/shared/errors';
import {
  type CaptionFlags,
  type CaptionOptions,
  captionOptions,
  type Selection,
  type SelectionFlags,
  selectionOf,
} from '@cutline/shared/run';

/** What flags ask of a model, held against what it can do. */

/**
 * @param bundleFolder of the model
 * @throws UserError for what the model cannot do, and for flags that contradict each other
 */
export async function requestCaptions(
  flags: CaptionFlags,
  model: AnyModel,
  bundleFolder: string,
): Promise<CaptionOptions> {
  if (model.kind === 'served') {
    const flag = Object.keys(searchFlags).find(
      (name) => flags[name as keyof CaptionFlags] !== undefined,
    );
    if (flag === undefined) return model.decoding;
    throw new UserError(
      `${searchFlags[flag as keyof CaptionFlags]}: the model ${model.description.name} is behind a ` +
        'server, which searches by its own rules. Its prompt and the length of its answers are set ' +
        'when it is added (cutline model add).',
    );
  }
  if (flags.attention && !model.attends) {
    throw new UserError(`--attention: model ${model.id} does not attend to places in the image.`);
  }
  if (flags.prompt !== undefined) await checkPrompt(bundleFolder, flags.prompt);
  return captionOptions(flags, model.decoding);
}

const searchFlags: Record<keyof CaptionFlags, string> = {
  beamSize: '--beam-size',
  candidates: '--candidates',
  lengthPenalty: '--length-penalty',
  lengthMax: '--length-max',
  lengthMin: '--length-min',
  noRepeatNgram: '--no-repeat-ngram',
  prompt: '--prompt',
  attention: '--attention',
};

/** @throws UserError where the model's prompt has places that nothing fills */
export function requestSelection(flags: SelectionFlags, model: AnyModel): Selection {
  const selection = selectionOf(flags);
  if (model.kind !== 'served') return selection;
  const columns = columnsOf(model.description.prompt);
  if (columns.length === 0) return selection;
  if (selection.keysFrom !== null) return { ...selection, columns };
  throw new UserError(
    `The prompt of the model ${model.description.name} has places for ` +
      `${columns.map((name) => `{${name}}`).join(', ')}: give a list of keys with such columns ` +
      '(--keys-from).',
  );
}
