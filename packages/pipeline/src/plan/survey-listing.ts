import { extensionOf, promisedFormat } from '@cutline/inference';
import { Draw, type ListedImage, listWithClasses, SeenKeys } from '@cutline/shared/listing';
import type { ImageRef } from '@cutline/shared/run';
import { z } from 'zod';

/**
 * What a run would list, counted: nothing is read of the images themselves. Memory is bounded,
 * whatever the listing's length: which images were there before is remembered as lists of keys are
 * (`SeenKeys`), and the number of kinds that are told apart has a limit.
 */

const count = z.int().nonnegative();

const amountSchema = z.strictObject({ images: count, bytes: count });

export type Amount = z.infer<typeof amountSchema>;

const amountsSchema = z.record(z.string(), amountSchema);

export const surveySchema = z.strictObject({
  /** All that were listed, whether or not they are wanted. */
  keys: count,
  /** To be captioned. */
  images: count,
  /** Of these, as far as the listing says it. */
  bytes: count,
  /** Of these images: how many it does not say it of. */
  unsized: count,
  skippedByReason: z.record(z.string(), count),
  /** By what their names promise, most images first. */
  types: amountsSchema,
  /** By how many bytes they have: each class up to, and with, `bytesMax`; null: all larger ones. */
  sizes: z.array(z.strictObject({ bytesMax: count.nullable(), images: count })),
  /** Of images to be captioned, where the listing says it. */
  storageClasses: amountsSchema,
  /** Of images that are skipped until they are restored. */
  archived: amountsSchema,
  /** Images whose ETag and size another one has; null where the listing does not tell. */
  duplicates: amountSchema.nullable(),
  /** The first few keys, to see whether the selection is what was meant. */
  examples: z.array(z.string()),
});

export type Survey = z.infer<typeof surveySchema>;

/** Images that were drawn, each as likely as any other, in the order of the listing. */
export interface SurveyedListing {
  survey: Survey;
  drawn: ImageRef[];
}

export async function surveyListing(
  [source, selection, options = {}]: Parameters<typeof listWithClasses>,
  draw: { size: number; seed: number },
): Promise<SurveyedListing> {
  // A folder's ETags are made of sizes and times.
  const tellsContents = !source.store.url.startsWith('file:');
  const counting = new Counting({ draw, tellsContents });
  try {
    let keys = 0;
    const onKeys = (listed: number) => {
      keys = listed;
    };
    for await (const listed of listWithClasses(source, selection, { ...options, onKeys })) {
      counting.add(listed);
    }
    return { survey: counting.survey(keys), drawn: counting.draw.items() };
  } finally {
    counting.close();
  }
}

const kilobyte = 1024;

/** Files without content, up to 10 KB, 100 KB, and so on to 100 MB. */
const sizeBounds = [0, 10, 100, kilobyte, 10 * kilobyte, 100 * kilobyte].map((n) => n * kilobyte);

/** Kinds that are told apart; what comes later is counted together. */
const kindsMax = 64;

class Counting {
  readonly draw: Draw<ImageRef>;
  readonly #seen: SeenKeys | undefined;
  readonly #types = new Map<string, Amount>();
  readonly #storageClasses = new Map<string, Amount>();
  readonly #archived = new Map<string, Amount>();
  readonly #duplicates: Amount = { images: 0, bytes: 0 };
  readonly #sizes = Array.from({ length: sizeBounds.length + 1 }, () => 0);
  readonly #all: Amount = { images: 0, bytes: 0 };
  readonly #skippedByReason: Record<string, number> = {};
  readonly #examples: string[] = [];
  #unsized = 0;
  #identified = 0;

  constructor(options: { draw: { size: number; seed: number }; tellsContents: boolean }) {
    this.draw = new Draw(options.draw);
    this.#seen = options.tellsContents ? new SeenKeys() : undefined;
  }

  add({ image, storageClass }: ListedImage): void {
    const { key, etag, bytes, skipped } = image;
    if (skipped) {
      this.#skippedByReason[skipped] = (this.#skippedByReason[skipped] ?? 0) + 1;
      if (skipped === 'archived') add(this.#archived, storageClass ?? 'unknown', bytes);
      return;
    }
    this.#all.images += 1;
    this.#all.bytes += bytes ?? 0;
    if (this.#examples.length < 5) this.#examples.push(key);
    this.draw.add(image);
    add(this.#types, typeOf(key), bytes);
    if (storageClass !== undefined) add(this.#storageClasses, storageClass, bytes);
    if (bytes === null) {
      this.#unsized += 1;
      return;
    }
    const size = sizeBounds.findIndex((bytesMax) => bytes <= bytesMax);
    this.#sizes[size < 0 ? sizeBounds.length : size]! += 1;
    if (!this.#seen || etag === null || bytes === 0) return;
    this.#identified += 1;
    if (!this.#seen.add(`${etag} ${bytes}`)) return;
    this.#duplicates.images += 1;
    this.#duplicates.bytes += bytes;
  }

  survey(keys: number): Survey {
    return {
      keys,
      ...this.#all,
      unsized: this.#unsized,
      skippedByReason: this.#skippedByReason,
      types: inOrder(this.#types),
      sizes: this.#sizes.map((images, n) => ({ bytesMax: sizeBounds[n] ?? null, images })),
      storageClasses: inOrder(this.#storageClasses),
      archived: inOrder(this.#archived),
      duplicates: this.#identified > 0 ? this.#duplicates : null,
      examples: this.#examples,
    };
  }

  close(): void {
    this.#seen?.close();
  }
}

/** As `cutline look` calls formats; else by its extension. */
function typeOf(key: string): string {
  const promised = promisedFormat(key);
  if (promised !== undefined) return promised.replace(/^an? /, '');
  const extension = extensionOf(key);
  return /^[a-z0-9_-]{1,8}$/.test(extension) ? `.${extension}` : 'without an extension';
}

function add(amounts: Map<string, Amount>, kind: string, bytes: number | null): void {
  const name = amounts.has(kind) || amounts.size < kindsMax ? kind : 'others';
  const amount = amounts.get(name) ?? { images: 0, bytes: 0 };
  amounts.set(name, amount);
  amount.images += 1;
  amount.bytes += bytes ?? 0;
}

function inOrder(amounts: Map<string, Amount>): Record<string, Amount> {
  return Object.fromEntries([...amounts].toSorted(([, a], [, b]) => b.images - a.images));
}
