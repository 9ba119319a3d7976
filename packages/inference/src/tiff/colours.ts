import { ImageError } from '@cutline/shared/errors';
import type { TiffPage } from './read-directories.ts';
import type { SampleRange } from './sample-range.ts';

/** What the samples of a pixel mean, as light from 0 to 1 in grey or RGB, or as ink in CMYK. */
export interface Colours {
  /** Samples that say it; what comes after them is transparency, or something else. */
  samples: number;
  /** 1 grey, 3 RGB, 4 CMYK. */
  channels: number;
  /** @param pixel [channels], which is written to */
  read(values: Float64Array, at: number, pixel: Float64Array): void;
  /** Whether what is read is sRGB, whatever the file's profile. */
  isSrgb: boolean;
}

/** A sample as 0 to 1. */
export function toUnit(value: number, { black, white }: SampleRange): number {
  const unit = (value - black) / (white - black);
  return unit > 0 ? Math.min(unit, 1) : 0; // also where it is no number
}

/** @throws ImageError `unsupported` */
export function coloursOf(page: TiffPage, range: SampleRange): Colours {
  const bits = page.bitsPerSample[0] ?? 1;
  const plain = (channels: number, isNegative = false): Colours => ({
    ...{ samples: channels, channels, isSrgb: false },
    read(values, at, pixel) {
      for (let c = 0; c < channels; c++) {
        const unit = toUnit(values[at + c] as number, range);
        pixel[c] = isNegative ? 1 - unit : unit;
      }
    },
  });
  switch (page.photometric) {
    case 0:
      return plain(1, true);
    case 1:
      return plain(1);
    case 2:
      return plain(3);
    case 3:
      return palette(page, bits);
    case 5:
      return plain(4);
    case 6:
      if (bits === 8) return luminance(page);
      break;
    case 8:
    case 9:
      if (bits === 8 || bits === 16) return lab(bits, page.photometric === 9);
      break;
  }
  throw new ImageError(
    'unsupported',
    `a variant of TIFF that is not decoded: photometric ${page.photometric} of ${bits} bits`,
  );
}

/** Some programs write 8 bits where 16 are meant. */
function palette({ colourMap }: TiffPage, bits: number): Colours {
  const entries = 2 ** bits;
  const full = colourMap.some((value) => value > 255) ? 65_535 : 255;
  return {
    ...{ samples: 1, channels: 3, isSrgb: false },
    read(values, at, pixel) {
      const index = values[at] as number;
      for (let c = 0; c < 3; c++) pixel[c] = (colourMap[c * entries + index] ?? 0) / full;
    },
  };
}

/** YCbCr (TIFF 6.0, section 21). */
function luminance({ lumaShares, blackWhite }: TiffPage): Colours {
  const [red = 0.299, green = 0.587, blue = 0.114] = lumaShares;
  const [yBlack = 0, yWhite = 255, bZero = 128, bFull = 255, rZero = 128, rFull = 255] = blackWhite;
  return {
    ...{ samples: 3, channels: 3, isSrgb: false },
    read(values, at, pixel) {
      const y = ((values[at] as number) - yBlack) / (yWhite - yBlack);
      const cb = (((values[at + 1] as number) - bZero) / (bFull - bZero)) * 0.5;
      const cr = (((values[at + 2] as number) - rZero) / (rFull - rZero)) * 0.5;
      const r = y + (2 - 2 * red) * cr;
      const b = y + (2 - 2 * blue) * cb;
      const g = (y - red * r - blue * b) / green;
      for (const [c, value] of [r, g, b].entries()) pixel[c] = Math.min(1, Math.max(0, value));
    },
  };
}

/** CIE 1976 L*a*b* of D50 to sRGB. In TIFF's own kind a* and b* have a sign; in ICC's, an offset. */
function lab(bits: number, isIcc: boolean): Colours {
  const [full, one] = bits === 8 ? [255, 1] : [isIcc ? 65_280 : 65_535, 256];
  const signed = (value: number) => (value >= 2 ** (bits - 1) ? value - 2 ** bits : value);
  const offset = (value: number) => value - 128 * one;
  const chroma = isIcc ? offset : signed;
  return {
    ...{ samples: 3, channels: 3, isSrgb: true },
    read(values, at, pixel) {
      const lightness = ((values[at] as number) / full) * 100;
      const y = (lightness + 16) / 116;
      const x = y + chroma(values[at + 1] as number) / one / 500;
      const z = y - chroma(values[at + 2] as number) / one / 200;
      const [X, Y, Z] = [0.9642 * fromLab(x), fromLab(y), 0.8249 * fromLab(z)];
      // XYZ of D50 to linear sRGB, adapted to D65 (Bradford).
      pixel[0] = companded(3.1338561 * X - 1.6168667 * Y - 0.4906146 * Z);
      pixel[1] = companded(-0.9787684 * X + 1.9161415 * Y + 0.033454 * Z);
      pixel[2] = companded(0.0719453 * X - 0.2289914 * Y + 1.4052427 * Z);
    },
  };
}

function fromLab(t: number): number {
  return t > 6 / 29 ? t ** 3 : 3 * (6 / 29) ** 2 * (t - 4 / 29);
}

/** Linear light to sRGB. */
function companded(light: number): number {
  const value = light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055;
  return Math.min(1, Math.max(0, value));
}
