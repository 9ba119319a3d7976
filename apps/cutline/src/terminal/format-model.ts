import { type ModelSize, type ModelSummary, modelSize, type Trial } from '@cutline/inference';
import { wrap } from './fit-text.ts';
import { formatBytes, formatCount } from './format.ts';

/** Of the texts: the names of fields stand before it. */
const indent = 13;

type Field = [name: string, text: string];
type Description = ModelSummary['description'];

/**
 * What a model is, for a person: from what to what, how large, what it takes, how good, and whose.
 *
 * @param columns to wrap lines to
 * @param trial how fast it was here, if that was tried
 */
export function formatModel(
  { id, description }: ModelSummary,
  columns = Number.POSITIVE_INFINITY,
  trial?: Trial,
): string {
  const size = modelSize(description);
  const fields: Field[] = [
    ...partFields(description, size),
    ['precision', describePrecision(description, size)],
    ...memoryFields(size),
    ...(trial ? [['speed', describeTrial(trial, description)] satisfies Field] : []),
    ...description.scores.map(
      ({ dataset, split, beamSize, metrics }): Field => [
        'scores',
        `${dataset} ${split}, beam size ${beamSize}: ` +
          Object.entries(metrics)
            .map(([metric, score]) => `${metric} ${score}`)
            .join(', '),
      ],
    ),
    ...ofBothHalves('licence', description.licence),
    ...ofBothHalves('origin', description.provenance),
    ...Object.entries(description.files).map(
      ([name, file], index): Field => [
        index === 0 ? 'files' : '',
        `${name}, ${formatBytes(file?.bytes ?? 0)}`,
      ],
    ),
  ];
  const about = wrap(description.description, columns).join('\n');
  return `${id}\n${about}\n\n${formatFields(fields, columns)}`;
}

/** Names and texts, as a column each. @param columns to wrap lines to */
export function formatFields(fields: readonly [string, string][], columns: number): string {
  const width = Math.max(indent, ...fields.map(([name]) => name.length + 4));
  const lines = fields.flatMap(([name, text]) =>
    wrap(text, columns - width).map((line, index) =>
      [`  ${index === 0 ? name : ''}`.padEnd(width), line, '\n'].join(''),
    ),
  );
  return lines.join('');
}

function partFields(description: Description, size: ModelSize): Field[] {
  const { encoder, decoder, preprocessing, features, decoding, vocabulary } = description;
  const { parameters, featureBytes } = size;
  const [locations, channels] = features.shape;
  const unit = unitOf(description);
  const ends = 'start' in vocabulary ? `, from ${vocabulary.start} to ${vocabulary.end}` : '';
  const candidates = `${decoding.candidates} candidate${decoding.candidates === 1 ? '' : 's'}`;
  return [
    ['encoder', `${encoder.family}, ${preprocessing.width}×${preprocessing.height} pixels`],
    ['', `${millions(parameters.encoder)}: ${listSizes(encoder.sizes)}`],
    [
      'features',
      `${locations} locations × ${formatCount(channels)} channels, ${features.dtype}: ` +
        `${formatCount(featureBytes)} bytes an image, cut at the ` +
        (features.cut === 'projection' ? 'decoder’s projection' : 'feature map'),
    ],
    ['decoder', `${decoder.family}, ${formatCount(vocabulary.size)} ${unit}${ends}`],
    ['', `${millions(parameters.decoder)}: ${listSizes(decoder.sizes)}`],
    [
      'decoding',
      `beam size ${decoding.beamSize}, ${candidates}, at most ` +
        `${decoding.lengthMax} ${unit}, length penalty ${decoding.lengthPenalty}`,
    ],
  ];
}

function memoryFields({ memory }: ModelSize): Field[] {
  return memory.map(({ images, encodeBytes, decodeBytes }, index) => [
    index === 0 ? 'memory' : '',
    `about ${gigabytes(encodeBytes)} to encode and ${gigabytes(decodeBytes)} to decode ` +
      `${images === 1 ? 'one image' : `${images} images`} at a time, on one CPU thread`,
  ]);
}

function describePrecision({ encoder, files }: Description, { parameters }: ModelSize): string {
  const computes = encoder.precision ? `encodes in ${encoder.precision}, decodes` : 'computes';
  // A file is its numbers and a header of a few kilobytes.
  const isHalf = files['decoder.safetensors'].bytes < 3 * parameters.decoder;
  return `${computes} in float32; weights are stored in ${isHalf ? 'float16' : 'float32'}`;
}

function describeTrial(trial: Trial, description: Description): string {
  if ('notTried' in trial) return `not tried here: ${trial.notTried}`;
  const { encodeSeconds, decodeSeconds, words, beamSize } = trial;
  return (
    `an image took one thread here ${seconds(encodeSeconds)} to encode and ` +
    `${seconds(decodeSeconds)} to decode (${words} ${unitOf(description)}, beam size ${beamSize})`
  );
}

/** Once, where it is the same of both. */
function ofBothHalves(name: string, { encoder, decoder }: Record<'encoder' | 'decoder', string>) {
  if (encoder === decoder) return [[name, encoder] satisfies Field];
  return [
    [name, `encoder: ${encoder}`] satisfies Field,
    ['', `decoder: ${decoder}`] satisfies Field,
  ];
}

/** `patch 16, grid 24×24, width 768`; what is neither a number nor a pair is in model.json. */
function listSizes(sizes: unknown): string {
  return Object.entries(sizes as Record<string, unknown>)
    .flatMap(([name, size]) => {
      if (Number.isInteger(size)) return `${name} ${formatCount(size as number)}`;
      const isPair = Array.isArray(size) && size.every(Number.isInteger);
      return isPair ? `${name} ${size.join('×')}` : [];
    })
    .join(', ');
}

const unitOf = ({ vocabulary }: Description) => ('start' in vocabulary ? 'tokens' : 'words');
const millions = (count: number) => `${(count / 1e6).toFixed(1)} million parameters`;
const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
const seconds = (value: number) => `${value.toFixed(value < 0.1 ? 3 : 2)} s`;
