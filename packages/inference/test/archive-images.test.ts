import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { decodeImage } from '@cutline/inference';
import { ImageError } from '@cutline/shared/errors';
import sharp from 'sharp';
import { expect, test } from 'vitest';

/**
 * Image files as archives hold them: what may come of each, and which picture it must show. The
 * files lie beside the project; the kinds are tested by files made here, too (tiff.test.ts).
 */

const folder = fileURLToPath(new URL('../../../../shared/cases/images/', import.meta.url));
const side = 224;
const spec = { width: side, height: side, fit: 'squash', kernel: 'cubic' } as const;

interface Case {
  file: string;
  /** `captioned`, or classes of failures. */
  outcome: string[];
  reference?: string;
  /** Mean absolute difference over all pixels and channels, of 255. */
  tolerance?: number;
  orientation?: number;
}

/** What cannot be as the list has it. */
const impossible = new Map([
  ['damaged-strip-None.tif', 'bytes of uncompressed pixels are as good as any others'],
  ['damaged-tiled-None.tif', 'the same'],
  ['damaged-tiled-packbits.tif', 'the same: the runs still add up'],
  ['img.pgm', 'it is grey, and its reference is in colour (9.4 apart)'],
]);

const cases: Case[] = existsSync(folder)
  ? readFileSync(`${folder}cases.jsonl`, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  : [];

test.skipIf(cases.length === 0)(
  cases.length > 0 ? 'each is seen right' : `NOT TESTED: ${folder} is not there`,
  async () => {
    const wrong: string[] = [];
    for (const each of cases) {
      const found = await look(each);
      if (found !== undefined && !impossible.has(each.file)) wrong.push(`${each.file}: ${found}`);
    }
    expect(wrong).toEqual([]);
  },
);

/** @returns what is wrong about it, if anything */
async function look({ file, outcome, reference, tolerance = 0, orientation }: Case) {
  const bytes = readFileSync(folder + file);
  const decoded = await decodeImage(bytes, spec, { pixelsMax: 1e8, timeoutMs: 20_000 }).catch(
    (error: unknown) => {
      if (error instanceof ImageError) return error;
      throw error;
    },
  );
  const isError = decoded instanceof ImageError;
  const came = isError ? decoded.failureClass : 'captioned';
  if (!outcome.includes(came)) return `${came}${isError ? ` (${decoded.message})` : ''}`;
  if (isError || reference === undefined) return undefined;
  const difference = distance(decoded.pixels, await readReference(reference, orientation));
  return difference > tolerance ? `off by ${difference.toFixed(1)} of 255` : undefined;
}

async function readReference(file: string, orientation: number | undefined): Promise<Buffer> {
  const png = readFileSync(folder + file);
  const tagged = orientation ? await sharp(png).withMetadata({ orientation }).toBuffer() : png;
  return sharp(tagged)
    .autoOrient()
    .removeAlpha()
    .toColourspace('srgb')
    .resize(side, side, { fit: 'fill', kernel: 'cubic' })
    .raw()
    .toBuffer();
}

function distance(a: Uint8Array, b: Uint8Array): number {
  expect(a).toHaveLength(b.length);
  return a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] ?? 0)), 0) / a.length;
}
