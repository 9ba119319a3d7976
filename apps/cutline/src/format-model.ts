import type { ModelSummary } from '@cutline/inference';
import { wrap } from './fit-text.ts';
import { formatBytes, formatCount } from './format.ts';

/** Of the texts: the names of fields stand before it. */
const indent = 12;

/**
 * What a model is, for a person: from what to what, how good, whose, and how large.
 * @param columns to wrap lines to
 */
export function formatModel(
  { id, description: model }: ModelSummary,
  columns = Number.POSITIVE_INFINITY,
): string {
  const { preprocessing, features, decoding, licence, provenance } = model;
  const [locations, channels] = features.shape;
  const [encoder, decoder] = [model.encoder.family, model.decoder.family];
  const unit = 'start' in model.vocabulary ? 'tokens' : 'words';
  const candidates = `${decoding.candidates} candidate${decoding.candidates === 1 ? '' : 's'}`;
  const fields: [string, string][] = [
    ['encoder', `${encoder}, ${preprocessing.width}×${preprocessing.height} pixels`],
    [
      'features',
      `${locations} locations × ${formatCount(channels)} channels, ${features.dtype}, cut at the ` +
        (features.cut === 'projection' ? 'decoder’s projection' : 'feature map'),
    ],
    ['decoder', `${decoder}, ${formatCount(model.vocabulary.size)} ${unit}`],
    [
      'decoding',
      `beam size ${decoding.beamSize}, ${candidates}, at most ` +
        `${decoding.lengthMax} ${unit}, length penalty ${decoding.lengthPenalty}`,
    ],
    ...model.scores.map(({ dataset, split, beamSize, metrics }): [string, string] => [
      'scores',
      `${dataset} ${split}, beam size ${beamSize}: ` +
        Object.entries(metrics)
          .map(([metric, score]) => `${metric} ${score}`)
          .join(', '),
    ]),
    ['licence', `encoder: ${licence.encoder}`],
    ['', `decoder: ${licence.decoder}`],
    ['origin', `encoder: ${provenance.encoder}`],
    ['', `decoder: ${provenance.decoder}`],
    ...Object.entries(model.files).map(([name, file], index): [string, string] => [
      index === 0 ? 'files' : '',
      `${name}, ${formatBytes(file?.bytes ?? 0)}`,
    ]),
  ];
  const about = wrap(model.description, columns).join('\n');
  return `${id}\n${about}\n\n${formatFields(fields, columns)}`;
}

/** Names and texts, as a column each. @param columns to wrap lines to */
export function formatFields(fields: readonly [string, string][], columns: number): string {
  const lines = fields.flatMap(([name, text]) =>
    wrap(text, columns - indent).map((line, index) =>
      [`  ${index === 0 ? name : ''}`.padEnd(indent), line, '\n'].join(''),
    ),
  );
  return lines.join('');
}
