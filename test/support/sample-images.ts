import sharp from 'sharp';

/**
 * Small JPEGs for tests where it matters that there are images, and not what they show. Image n is
 * always the same, and no two of the first 256 are.
 */
export function sampleImage(n: number): Promise<Buffer> {
  const [width, height] = [64, 48];
  const pixels = Buffer.alloc(width * height * 3);
  for (let i = 0; i < pixels.length; i++) {
    const [x, y, channel] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3];
    pixels[i] = (x * (1 + (n % 5)) + y * (3 - channel) + n * 37 + channel * 85) % 256;
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg()
    .toBuffer();
}

/** `photo-0000.jpg`, `photo-0001.jpg`, …: in the order of a listing. */
export function sampleKeys(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `photo-${String(n).padStart(4, '0')}.jpg`);
}

/** The bytes of each of `sampleKeys`: a few images, many times. */
export async function sampleImages(count: number): Promise<Map<string, Buffer>> {
  const distinct = await Promise.all(
    Array.from({ length: Math.min(count, 16) }, (_, n) => sampleImage(n)),
  );
  return new Map(sampleKeys(count).map((key, n) => [key, distinct[n % 16] as Buffer]));
}
