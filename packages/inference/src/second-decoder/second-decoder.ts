import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { ImageError } from '@cutline/shared/errors';
import pLimit from 'p-limit';
import type { DecodingDeadline } from '../decoding-deadline.ts';
import { loadSharp } from '../load-sharp.ts';
import type { TiffPage } from '../tiff/read-directories.ts';
import type { MagickReply, MagickRequest, MagickSetup } from './magick-messages.ts';

/**
 * The second decoder, for what sharp does not decode: its thread is started by the first image
 * that needs it, takes one at a time, and is ended when an image takes too long, or has made it
 * large: WebAssembly's memory never shrinks.
 */

/** Pixels on the longer side of what it hands over, at most: models see far fewer. */
const sideMax = 4_096;

/** A thread that has decoded something so large is not kept. */
const largePixels = 20_000_000;

const oneAtATime = pLimit(1);
let thread: MagickThread | undefined;

export type SecondlyDecoded = Extract<MagickReply, { state: 'decoded' }>;

export interface SecondRequest {
  /** What a person would call its format. */
  name: string;
  /** Width times height of the source. */
  pixelsMax: number;
  timeoutMs: number;
  /** Of a TIFF that is to be made plain first: its picture. */
  page: TiffPage | undefined;
  /** Of the image: it does not pass while others are decoded. */
  deadline: DecodingDeadline;
}

/** @throws ImageError `unsupported`, `corrupt`, `too-large` or `timeout` */
export function decodeSecondly(bytes: Buffer, request: SecondRequest): Promise<SecondlyDecoded> {
  const { name, pixelsMax, timeoutMs, page, deadline } = request;
  deadline.pause();
  return oneAtATime(async () => {
    deadline.resume();
    thread ??= await MagickThread.start();
    const question = { bytes: new Uint8Array(bytes), pixelsMax, sideMax, page };
    const reply = await thread.ask(question, timeoutMs).catch((error: unknown) => {
      thread = undefined;
      throw error;
    });
    if (reply.state === 'too-large') {
      const { width, height } = reply;
      throw new ImageError(
        'too-large',
        `${width}×${height} is ${width * height} pixels; at most ${pixelsMax} are accepted`,
      );
    }
    if (reply.state === 'failed') {
      const { failureClass, message } = reply;
      throw failureClass ? new ImageError(failureClass, message) : explainFailure(message, name);
    }
    if (reply.width * reply.height > largePixels) {
      thread.end();
      thread = undefined;
    }
    return reply;
  });
}

/** What ImageMagick says of kinds that it does not know, rather than of damage. */
const unsupported =
  /not ?supported|unsupported|not configured|NoDecodeDelegate|no decode delegate|UnableToOpenModule|NotAuthorized/i;

function explainFailure(message: string, format: string): ImageError {
  const reason = message.replaceAll(/ ?`[^']*'| @ .*$/g, '').trim() || 'it is damaged';
  return unsupported.test(message)
    ? new ImageError('unsupported', `a variant of ${format} that is not decoded: ${reason}`)
    : new ImageError('corrupt', `${format} that cannot be decoded: ${reason}`);
}

class MagickThread {
  readonly #worker: Worker;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.unref(); // nobody waits for it when the program ends
  }

  static async start(): Promise<MagickThread> {
    const wasmFile = fileURLToPath(import.meta.resolve('@imagemagick/magick-wasm/magick.wasm'));
    const workerData: MagickSetup = { wasmFile, srgbProfile: await srgbProfile() };
    const program = new URL('./magick-thread.js', import.meta.url);
    return new MagickThread(
      new Worker(program, { name: 'second decoder', workerData, execArgv: [] }),
    );
  }

  /** @throws ImageError `timeout`, or what the thread died of; it is of no use then */
  ask(request: MagickRequest, timeoutMs: number): Promise<MagickReply> {
    const worker = this.#worker;
    return new Promise<MagickReply>((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        worker.off('message', onReply).off('error', onDeath).off('exit', onExit);
      };
      const onReply = (reply: MagickReply) => {
        settle();
        resolve(reply);
      };
      const onDeath = (cause: unknown) => {
        settle();
        this.end();
        // Out of its memory, mostly: another image may well be decoded by the next thread.
        const message = `the decoder gave up on it (${cause instanceof Error ? cause.message : cause})`;
        reject(new ImageError('corrupt', message, { cause }));
      };
      const onExit = () => onDeath(new Error('it ended'));
      const timer = setTimeout(() => {
        settle();
        this.end();
        reject(new ImageError('timeout', `decoding took longer than ${timeoutMs} ms`));
      }, timeoutMs);
      worker.on('message', onReply).on('error', onDeath).on('exit', onExit);
      worker.postMessage(request, [request.bytes.buffer]);
    });
  }

  end(): void {
    void this.#worker.terminate();
  }
}

let profile: Promise<Uint8Array> | undefined;

/** sRGB as sharp has it. */
function srgbProfile(): Promise<Uint8Array> {
  profile ??= loadSharp().then(async (sharp) => {
    const create = { width: 1, height: 1, channels: 3 as const, background: '#fff' };
    const png = await sharp({ create }).withIccProfile('srgb').png().toBuffer();
    const { icc } = await sharp(png).metadata();
    if (!icc) throw new Error('sharp has written no profile');
    return new Uint8Array(icc);
  });
  return profile;
}
