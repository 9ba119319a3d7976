import { type Command, InvalidArgumentError, Option } from 'commander';
import type { CaptionOptions } from './caption-options.ts';
import { UserError } from './errors.ts';
import type { Selection } from './run.ts';

/**
 * The flags that describe a run, for the producer and for the command line that starts it, so
 * that the two cannot drift apart.
 */
export interface RunFlags extends CaptionFlags, SelectionFlags {
  output?: string;
  run?: string;
  batchSize: number;
  sidecars: ('txt' | 'json' | 'xmp')[];
  window: number;
  dryRun?: boolean;
}

export interface SelectionFlags {
  keysFrom?: string;
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
  uniqueNgrams?: number;
  attention?: boolean;
}

export function addRunFlags(command: Command): Command {
  return addCaptionFlags(
    addSelectionFlags(command)
      .addOption(
        new Option(
          '-o, --output <location>',
          'where results go: s3://bucket/prefix or a folder',
        ).env('CUTLINE_OUTPUT'),
      )
      .addOption(
        new Option('--run <name>', 'name of the run (default: the date and time)').env(
          'CUTLINE_RUN',
        ),
      )
      .option('--batch-size <n>', 'images a job', wholeNumber(1, 1024), 64)
      .option(
        '--sidecars <kinds>',
        'also write beside each image: txt, json, xmp (comma-separated)',
        parseSidecars,
        [],
      )
      .option('--window <n>', 'jobs kept waiting in the encode queue', wholeNumber(1, 100_000), 256)
      .option('--dry-run', 'list and count, write and enqueue nothing'),
  );
}

/** Which images: the flags of everything that lists. */
export function addSelectionFlags(command: Command): Command {
  return command
    .option('--keys-from <file>', 'take keys from a list: JSONL, CSV or plain lines; - is stdin')
    .option('--include <glob>', 'only keys that match (may be repeated)', collect, [])
    .option('--exclude <glob>', 'no keys that match (may be repeated)', collect, [])
    .option('--limit <n>', 'the first n images', wholeNumber(1))
    .option('--sample <n>', 'n images drawn at random', wholeNumber(1))
    .option('--seed <n>', 'of the random draw', wholeNumber(0), 1);
}

/** @throws UserError for flags that contradict each other. */
export function selectionOf(flags: SelectionFlags): Selection {
  const { keysFrom = null, include, exclude, limit = null, sample, seed } = flags;
  if (limit !== null && sample !== undefined) {
    throw new UserError('Choose --limit (the first n) or --sample (n at random), not both.');
  }
  return {
    keysFrom,
    include,
    exclude,
    limit,
    sample: sample === undefined ? null : { images: sample, seed },
  };
}

/** How captions are searched for; what is left out is as the model bundle says. */
export function addCaptionFlags(command: Command): Command {
  return command
    .option('--beam-size <k>', 'hypotheses kept at each step; 1 is greedy', wholeNumber(1, 50))
    .option('--candidates <n>', 'captions kept per image, best first', wholeNumber(1, 50))
    .option('--length-penalty <alpha>', 'score = logProb / (words + 1)^alpha', decimal(0, 5))
    .option('--length-max <words>', 'words at most', wholeNumber(1, 200))
    .option('--length-min <words>', 'words at least', wholeNumber(0, 200))
    .option(
      '--unique-ngrams <n>',
      'no sequence of n words occurs twice in a caption; 0 is off',
      wholeNumber(0, 10),
    )
    .option('--attention', 'keep where the model looked for each word (for the gallery)');
}

/**
 * The options of a run: the model's defaults with what the flags say.
 * `candidates` follows a smaller beam unless it is given itself.
 */
export function captionOptions(flags: CaptionFlags, defaults: CaptionOptions): CaptionOptions {
  const beamSize = flags.beamSize ?? defaults.beamSize;
  return {
    beamSize,
    candidates: flags.candidates ?? Math.min(defaults.candidates, beamSize),
    lengthPenalty: flags.lengthPenalty ?? defaults.lengthPenalty,
    lengthMax: flags.lengthMax ?? defaults.lengthMax,
    lengthMin: flags.lengthMin ?? defaults.lengthMin,
    noRepeatNgram: flags.uniqueNgrams ?? defaults.noRepeatNgram,
    attention: flags.attention ?? defaults.attention,
  };
}

export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      const upTo =
        max === Number.MAX_SAFE_INTEGER ? ` of at least ${min}` : ` from ${min} to ${max}`;
      throw new InvalidArgumentError(`Expected a whole number${upTo}.`);
    }
    return value;
  };
}

function decimal(min: number, max: number) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= min && value <= max)) {
      throw new InvalidArgumentError(`Expected a number from ${min} to ${max}.`);
    }
    return value;
  };
}

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

function parseSidecars(text: string): RunFlags['sidecars'] {
  return text.split(',').map((kind) => {
    if (kind === 'txt' || kind === 'json' || kind === 'xmp') return kind;
    throw new InvalidArgumentError('Expected some of txt, json, xmp, separated by commas.');
  });
}
