/**
 * The program of the second decoder's thread: ImageMagick, as WebAssembly, for what sharp's libvips
 * does not decode, or not rightly. It runs in a thread of its own since it computes synchronously
 * and may be ended at any time; what is hostile in a file stays within WebAssembly's memory.
 */
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { ImageError } from '@cutline/shared/errors';
import {
  AlphaAction,
  ColorProfile,
  ColorSpace,
  FilterType,
  type IMagickImage,
  ImageMagick,
  initializeImageMagick,
  MagickColors,
  MagickFormat,
  MagickGeometry,
  MagickImageInfo,
  ResourceLimits,
} from '@imagemagick/magick-wasm';
import { plainTiff } from '../tiff/plain-tiff.ts';
import type { MagickReply, MagickRequest, MagickSetup } from './magick-messages.ts';

const port = parentPort;
if (!port) throw new Error('magick-thread.js is the program of a worker thread');

const { wasmFile, srgbProfile } = workerData as MagickSetup;
await initializeImageMagick(readFileSync(wasmFile));
ResourceLimits.memory = 1_500_000_000n;
ResourceLimits.disk = 0n;
ResourceLimits.listLength = 64n;
const srgb = new ColorProfile(srgbProfile);

port.on('message', (request: MagickRequest) => {
  const reply = answer(request);
  port.postMessage(reply, 'pixels' in reply ? [reply.pixels.buffer] : []);
});

function answer({ bytes: given, page, pixelsMax, sideMax }: MagickRequest): MagickReply {
  try {
    const bytes = page ? plainTiff(Buffer.from(given.buffer), page, pixelsMax) : given;
    // By the header, before anything is allocated.
    const { width, height } = MagickImageInfo.create(bytes);
    if (width * height > pixelsMax) return { state: 'too-large', width, height };
    let reply: MagickReply | undefined;
    ImageMagick.read(bytes, (image) => {
      reply = { state: 'decoded', ...toPixels(image, sideMax) };
    });
    return reply ?? { state: 'failed', message: 'no picture was found in it' };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!(error instanceof ImageError)) return { state: 'failed', message };
    return { state: 'failed', failureClass: error.failureClass, message };
  }
}

/** Upright, sRGB, 8 bit, on white. Sizes are of the source as seen upright. */
function toPixels(image: IMagickImage, sideMax: number) {
  const facts = factsOf(image);
  image.autoOrient();
  const { width, height } = image;
  // Far larger than any model sees it: nothing is lost, and less has to be converted.
  if (Math.max(width, height) > sideMax)
    image.resize(new MagickGeometry(`${sideMax}x${sideMax}`), FilterType.Box);
  if (image.format === MagickFormat.Jxl && image.colorSpace === ColorSpace.RGB) {
    image.removeProfile('icc'); // of the file: its pixels come as linear light of sRGB
  }
  // Photoshop's 32 bits are linear light, of which ImageMagick knows only by a profile.
  const isLinear = image.format === MagickFormat.Psd && image.depth === 32;
  if (isLinear && !image.getColorProfile()) image.gammaCorrect(2.2);
  if (image.getColorProfile()) {
    try {
      image.transformColorSpace(srgb);
    } catch {
      image.removeProfile('icc'); // of another kind of colours than the image has
    }
  }
  image.colorSpace = ColorSpace.sRGB;
  image.backgroundColor = MagickColors.White;
  if (image.hasAlpha) image.alpha(AlphaAction.Remove);
  image.depth = 8;
  const size = { decodedWidth: image.width, decodedHeight: image.height };
  const pixels = image.write(MagickFormat.Rgb, (data) => new Uint8Array(data));
  return { pixels, width, height, facts, ...size };
}

const colourNames = new Map(Object.entries(ColorSpace).map(([name, value]) => [value, name]));

function factsOf(image: IMagickImage): Record<string, string> {
  const { width, height, depth, channels, hasAlpha, colorSpace, orientation } = image;
  const colours = `${colourNames.get(colorSpace) ?? 'colours of an unknown kind'}`;
  const profile = image.getColorProfile()?.description;
  return {
    size: `${width}×${height}`,
    samples: `${channels.length}, ${colours}${hasAlpha ? ' and transparency' : ''}, ${depth} bits`,
    ...(profile && { profile: profile.trim() }),
    ...(orientation > 1 && { orientation: String(orientation) }),
  };
}
