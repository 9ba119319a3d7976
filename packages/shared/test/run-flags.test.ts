import { createCommand } from '@cutline/shared/process';
import {
  addRunFlags,
  type CaptionOptions,
  captionOptions,
  captionOptionsSchema,
  type RunFlags,
  selectionOf,
} from '@cutline/shared/run';
import { describe, expect, test } from 'vitest';

function parse(...args: string[]): RunFlags {
  return addRunFlags(createCommand('program', 'A program.')).parse(args, { from: 'user' }).opts();
}

test('without flags, a run is of everything, in batches of 64', () => {
  const flags = parse();
  expect(flags).toMatchObject({ batchSize: 64, window: 256, sidecars: [] });
  expect(selectionOf(flags)).toEqual({
    keysFrom: null,
    include: [],
    exclude: [],
    limit: null,
    sample: null,
  });
});

test('a selection is what the flags say; globs may be repeated', () => {
  const flags = parse('--include', '*.tif', '--include', 'a/**', '--exclude', 'b/**', '--limit=9');
  expect(selectionOf(flags)).toEqual({
    keysFrom: null,
    include: ['*.tif', 'a/**'],
    exclude: ['b/**'],
    limit: 9,
    sample: null,
  });
  expect(selectionOf(parse('--sample', '5', '--keys-from', '-', '--seed=0'))).toMatchObject({
    keysFrom: '-',
    sample: { images: 5, seed: 0 },
  });
  expect(selectionOf(parse('--sample', '5')).sample).toEqual({ images: 5, seed: 1 });
});

test('the first n and n at random exclude each other', () => {
  expect(() => selectionOf(parse('--limit', '1', '--sample', '1'))).toThrow(
    'Choose --limit (the first n) or --sample (n at random), not both.',
  );
});

test('sidecars are named with commas', () => {
  expect(parse('--sidecars', 'txt,xmp').sidecars).toEqual(['txt', 'xmp']);
  expect(() => parse('--sidecars', 'txt,doc')).toThrow(/Expected some of txt, json, xmp/);
});

test('a deadline is a time that says its zone', () => {
  expect(parse().deadline).toBeUndefined();
  expect(parse('--deadline', '2026-12-01T06:00Z').deadline).toBe('2026-12-01T06:00:00.000Z');
  expect(parse('--deadline', '2026-12-01T07:30:00+01:00').deadline).toBe(
    '2026-12-01T06:30:00.000Z',
  );
  for (const text of ['2026-12-01', '2026-12-01T06:00', '2026-13-01T06:00Z', 'tomorrow']) {
    expect(() => parse('--deadline', text), text).toThrow(/Expected a day, a time and its zone/);
  }
});

test.each([
  ['--batch-size', '0', 'from 1 to 1024'],
  ['--batch-size', '1025', 'from 1 to 1024'],
  ['--limit', '0', 'of at least 1'],
  ['--sample', '1.5', 'of at least 1'],
  ['--seed', '-1', 'of at least 0'],
  ['--beam-size', '51', 'from 1 to 50'],
  ['--length-max', 'ten', 'from 1 to 200'],
  ['--no-repeat-ngram', '11', 'from 0 to 10'],
])('%s %s is refused with what is expected', (flag, value, range) => {
  expect(() => parse(`${flag}=${value}`)).toThrow(
    new RegExp(
      `^option '${flag} <.*>' argument '${value}' is invalid\\. Expected a whole number ${range}\\.$`,
    ),
  );
});

test.each(['', 'x', '-0.1', '5.1', 'NaN'])('--length-penalty %j is refused', (value) => {
  expect(() => parse(`--length-penalty=${value}`)).toThrow(/Expected a number from 0 to 5\./);
});

describe('the options of a run', () => {
  const defaults: CaptionOptions = {
    beamSize: 5,
    candidates: 3,
    lengthPenalty: 0.7,
    lengthMax: 20,
    lengthMin: 4,
    noRepeatNgram: 2,
    attention: false,
  };
  const options = (...args: string[]) => captionOptions(parse(...args), defaults);

  test('are the defaults of the model', () => {
    expect(options()).toEqual(defaults);
  });

  test('are what the flags say, be it nothing or zero', () => {
    expect(
      options(
        '--beam-size=7',
        '--candidates=6',
        '--length-penalty=0',
        '--length-max=9',
        '--length-min=0',
        '--no-repeat-ngram=0',
        '--attention',
      ),
    ).toEqual({
      beamSize: 7,
      candidates: 6,
      lengthPenalty: 0,
      lengthMax: 9,
      lengthMin: 0,
      noRepeatNgram: 0,
      attention: true,
    });
  });

  test('give way where a flag leaves a default no room', () => {
    expect(options('--beam-size', '1')).toMatchObject({ beamSize: 1, candidates: 1 });
    expect(options('--length-max', '2')).toMatchObject({ lengthMax: 2, lengthMin: 2 });
  });

  test('are refused where flags ask for more than the others allow', () => {
    expect(() => options('--candidates', '9')).toThrow(
      '--candidates 9 is more than the beam holds: give --beam-size 9, too (it is 5).',
    );
    expect(() => options('--length-min', '21')).toThrow(
      '--length-min 21 is more than a caption may have: give --length-max, too (it is 20).',
    );
  });

  test('are always ones that decoders accept', () => {
    for (const args of [[], ['--beam-size=1'], ['--length-max=1'], ['--candidates=5']]) {
      expect(captionOptionsSchema.safeParse(options(...args)).success, args.join()).toBe(true);
    }
  });
});
