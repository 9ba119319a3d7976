import {
  type CaptionOptions,
  captionRanges,
  promptCharactersMax,
} from '@cutline/captioner/caption-options';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { UserError } from '../../errors.ts';
import { type FeatureType, featureTypes } from '../feature-type.ts';
import type { Selection } from '../run.ts';
import { deadlineOption } from './deadline.ts';
import { addGroup, decimal, wholeNumber } from './flag-parsers.ts';
import { type Priority, priorities } from './priority.ts';
import { type SidecarFlags, sidecarOptions } from './sidecar-flags.ts';

/**
 * The flags that describe a run, for the producer and for the command line that starts it, so
 * that the two cannot drift apart.
 */
export interface RunFlags extends CaptionFlags, SelectionFlags, SidecarFlags {
  output?: string;
  run?: string;
  batchSize: number;
  featureType: FeatureType;
  keepFeatures?: string;
  duplicates?: 'off' | 'etag';
  window: number;
  priority: Priority;
  /** ISO 8601, UTC. */
  deadline?: string;
  keepParts?: boolean;
  dryRun?: boolean;
}

export interface SelectionFlags {
  keysFrom?: string;
  keyColumn?: string;
  carry?: string[];
  include: string[];
  exclude: string[];
  limit?: number;
  sample?: number;
  seed: number;
}

export interface CaptionFlags {
  beamSize?: number;
  candidates?: number;
  lengthPenalty?: number;
  lengthMax?: number;
  lengthMin?: number;
  noRepeatNgram?: number;
  attention?: boolean;
  prompt?: string;
}

/** Jobs of a run that wait or are in hand, at most; enough for hundreds of workers. */
export const windowDefault = 256;

/** Images of a job. */
export const batchSizeDefault = 64;

const theRun = 'The run:';
const whichImages = 'Which images:';
const captionSearch = 'How captions are searched for (defaults: as the model says):';

export function addRunFlags(command: Command): Command {
  addRequestFlags(command);
  return addGroup(command, theRun, [
    new Option('--dry-run', 'list, count and reckon; write and enqueue nothing'),
  ]);
}

/** What a run is asked to be: of those who begin it, and of those who plan it. */
export function addRequestFlags(command: Command): Command {
  addGroup(command, theRun, [
    new Option('--output <location>', 'where results go: s3://bucket/prefix or a folder').env(
      'CUTLINE_OUTPUT',
    ),
    formerOutput(),
    runName(),
    new Option('--batch-size <n>', 'images a job')
      .argParser(wholeNumber({ min: 1, max: 1024 }))
      .default(batchSizeDefault),
    windowOfJobs(),
    priorityOption(),
    deadlineOption(),
    ...sidecarOptions(),
    featureTypeOption(),
    new Option(
      '--keep-features <where>',
      'keep features, for "cutline decode": output (beside the results), s3://bucket/prefix, a folder',
    ),
    new Option(
      '--duplicates <how>',
      'etag: of images with the same ETag and size, caption one, and copy it to the others',
    )
      .choices(['off', 'etag'])
      .default('off'),
    keepParts(),
  ]);
  command.on('option:o', (location: string) => {
    command.setOptionValueWithSource('output', location, 'cli');
  });
  addSelectionFlags(command);
  return addCaptionFlags(command);
}

/** `-o` as scripts have it: elsewhere that is a file which the command writes. */
const formerOutput = () => new Option('-o <location>').hideHelp();

/** The flags of a run that decodes what another kept. */
export function addDecodeFlags(command: Command): Command {
  addGroup(command, theRun, [
    runName(),
    windowOfJobs(),
    priorityOption(),
    deadlineOption(),
    ...sidecarOptions(),
    keepParts(),
  ]);
  return addCaptionFlags(command);
}

const keepParts = () =>
  new Option('--keep-parts', 'leave results in JSON Lines, and do not compact them into Parquet');

const runName = () =>
  new Option('--run <name>', 'name of the run')
    .default(undefined, 'the date and time')
    .env('CUTLINE_RUN');

const windowOfJobs = () =>
  new Option('--window <n>', 'jobs of the run at most that wait or are in hand, in both queues')
    .argParser(wholeNumber({ min: 1, max: 100_000 }))
    .default(windowDefault);

const priorityOption = () =>
  new Option(
    '--priority <p>',
    'high, normal or low: before, with or after the batches of other runs',
  )
    .choices(priorities)
    .default('normal' satisfies Priority);

/** Which images: the flags of everything that lists. */
export function addSelectionFlags(command: Command): Command {
  return addGroup(command, whichImages, [
    new Option(
      '--keys-from <file>',
      'take keys from a list: JSONL, CSV, TSV, Parquet, plain lines (also .gz, .zst), or the ' +
        'manifest.json of an S3 Inventory; a file, s3://…, or - for stdin',
    ),
    new Option(
      '--key-column <name>',
      'the column of the list that has the keys, if it is not key, filename or path',
    ),
    new Option(
      '--carry <columns>',
      'columns of the list to keep beside captions, as "source": id,title',
    ).argParser(columnNames),
    new Option('--include <glob>', 'only keys that match (may be repeated)')
      .argParser(collect)
      .default([]),
    new Option('--exclude <glob>', 'no keys that match (may be repeated)')
      .argParser(collect)
      .default([]),
    new Option('--limit <n>', 'the first n images').argParser(wholeNumber({ min: 1 })),
    new Option('--sample <n>', 'n images drawn at random').argParser(wholeNumber({ min: 1 })),
    new Option('--seed <n>', 'of the random draw').argParser(wholeNumber({ min: 0 })).default(1),
  ]);
}

/** @throws UserError for flags that contradict each other. */
export function selectionOf(flags: SelectionFlags): Selection {
  const { keysFrom = null, keyColumn, carry, include, exclude, limit = null, sample, seed } = flags;
  if (limit !== null && sample !== undefined) {
    throw new UserError('Choose --limit (the first n) or --sample (n at random), not both.');
  }
  if (keysFrom === null && (keyColumn !== undefined || carry !== undefined)) {
    throw new UserError(
      `${carry ? '--carry' : '--key-column'} is about columns of a list of keys: give one, --keys-from.`,
    );
  }
  return {
    keysFrom,
    ...(keyColumn !== undefined && { keyColumn }),
    ...(carry && { carry }),
    include,
    exclude,
    limit,
    sample: sample === undefined ? null : { images: sample, seed },
  };
}

/** How captions are searched for; what is left out is as the model bundle says. */
export function addCaptionFlags(command: Command): Command {
  return addGroup(command, captionSearch, [
    new Option('--beam-size <k>', 'hypotheses kept at each step; 1 is greedy').argParser(
      wholeNumber(captionRanges.beamSize),
    ),
    new Option('--candidates <n>', 'captions kept per image, best first').argParser(
      wholeNumber(captionRanges.candidates),
    ),
    new Option('--length-penalty <alpha>', 'score = logProb / (words + 1)^alpha').argParser(
      decimal(captionRanges.lengthPenalty),
    ),
    new Option('--length-max <words>', 'words at most').argParser(
      wholeNumber(captionRanges.lengthMax),
    ),
    new Option('--length-min <words>', 'words at least').argParser(
      wholeNumber(captionRanges.lengthMin),
    ),
    noRepeatNgram(),
    new Option(
      '--prompt <words>',
      'what captions begin with, neither scored nor counted',
    ).argParser(promptOf),
    new Option('--attention', 'keep where the model looked for each word (for the gallery)'),
  ]);
}

/** For whatever encodes and decodes. */
export function featureTypeOption(): Option {
  return new Option(
    '--feature-type <type>',
    'features as float16, or as int8: half the bytes, and now and then another caption',
  )
    .choices(featureTypes)
    .default('float16' satisfies FeatureType);
}

/** A flag that begins with `--no-`, which Commander would take for the opposite of another. */
function noRepeatNgram(): Option {
  const option = new Option(
    '--no-repeat-ngram <n>',
    'no sequence of n words occurs twice in a caption; 0 is off',
  );
  option.negate = false;
  return option.argParser(wholeNumber(captionRanges.noRepeatNgram));
}

/**
 * The options of a run: the model's defaults with what the flags say. A default gives way where a
 * flag leaves it no room: `candidates` to a smaller beam, `lengthMin` to a smaller `lengthMax`.
 *
 * @throws UserError for flags that ask for more than the other options allow.
 */
export function captionOptions(flags: CaptionFlags, defaults: CaptionOptions): CaptionOptions {
  const { lengthPenalty, noRepeatNgram, attention, prompt = defaults.prompt } = flags;
  const { stopEarly } = defaults;
  const { beamSize = defaults.beamSize, lengthMax = defaults.lengthMax } = flags;
  const { candidates = Math.min(defaults.candidates, beamSize) } = flags;
  const { lengthMin = Math.min(defaults.lengthMin, lengthMax) } = flags;
  if (candidates > beamSize) {
    throw new UserError(
      `--candidates ${candidates} is more than the beam holds: give --beam-size ${candidates}, too ` +
        `(it is ${beamSize}).`,
    );
  }
  if (lengthMin > lengthMax) {
    throw new UserError(
      `--length-min ${lengthMin} is more than a caption may have: give --length-max, too (it is ` +
        `${lengthMax}).`,
    );
  }
  return {
    beamSize,
    candidates,
    lengthPenalty: lengthPenalty ?? defaults.lengthPenalty,
    lengthMax,
    lengthMin,
    noRepeatNgram: noRepeatNgram ?? defaults.noRepeatNgram,
    attention: attention ?? defaults.attention,
    ...(stopEarly !== undefined && { stopEarly }),
    ...(prompt !== undefined && { prompt }),
  };
}

function promptOf(text: string): string {
  const prompt = text.trim();
  if (prompt.length > 0 && prompt.length <= promptCharactersMax) return prompt;
  throw new InvalidArgumentError(`Expected 1 to ${promptCharactersMax} characters.`);
}

function columnNames(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.every((name) => name !== '') && new Set(names).size === names.length) return names;
  throw new InvalidArgumentError('Expected names with commas between them, each once: id,title');
}

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}
