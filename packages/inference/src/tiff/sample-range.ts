import type { TiffPage } from './read-directories.ts';
import { sampleRows } from './read-samples.ts';

/**
 * Which values of a page's samples mean black and white (or no ink and all of it). Files do not say:
 * floating-point ones mean 0 to 1 or 0 to 255, and instruments write 12 bits into 16.
 */
export interface SampleRange {
  black: number;
  white: number;
}

/** @throws ImageError `corrupt` or `unsupported` */
export function sampleRange(bytes: Buffer, page: TiffPage): SampleRange {
  const { sampleFormat, maxSampleValue } = page;
  const bits = page.bitsPerSample[0] ?? 1;
  const isFloat = sampleFormat === 3;
  const isSigned = sampleFormat === 2;
  const full = isSigned ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  if (!isFloat && !isSigned && bits < 16) return { black: 0, white: full };
  if (!meansLight.has(page.photometric ?? -1)) return { black: 0, white: isFloat ? 1 : full };
  const { low, high } = extremes(bytes, page);
  if (isFloat) {
    if (low < -high / 8) return { black: low, white: high }; // measurements, and no light
    if (high <= unitMax) return { black: 0, white: 1 };
    return { black: 0, white: high < 255 / 8 ? high : allOnes(high) };
  }
  const isDim = high < full / 8 && low > -full / 8;
  if (low < 0)
    return isDim ? { black: low, white: allOnes(high) } : { black: -full - 1, white: full };
  // Some write the largest value that there is, some the largest that there may be.
  const said = maxSampleValue === undefined ? full : allOnes(maxSampleValue);
  if (high <= said && said < full) return { black: 0, white: said };
  return { black: 0, white: isDim ? allOnes(high) : full };
}

/** Of floating-point samples that mean 0 to 1, some lights are a little brighter. */
const unitMax = 1.5;

/** Photometric interpretations of samples that are more or less of one thing: grey, and RGB. */
const meansLight = new Set([0, 1, 2]);

/** From here on, floating-point values stand for "no data", in maps. */
const noData = 1e30;

function extremes(bytes: Buffer, page: TiffPage): { low: number; high: number } {
  let [low, high] = [0, 0];
  const colours = page.photometric === 2 ? 3 : 1;
  const samples = page.samplesPerPixel;
  for (const { values, pixels } of sampleRows(bytes, page)) {
    for (let n = 0; n < pixels * samples; n++) {
      if (n % samples >= colours) continue; // transparency, and what else comes after colours
      const value = values[n] as number;
      if (value < low && value > -noData) low = value;
      else if (value > high && value < noData) high = value;
    }
  }
  return { low, high };
}

/** The largest number of as many bits as it takes, 8 at least. */
function allOnes(value: number): number {
  return 2 ** Math.max(8, Math.ceil(Math.log2(value + 1))) - 1;
}
