import { z } from 'zod';
import type { PartRow } from './part.ts';

/**
 * Captions that many images of a run have in common: a model that sees nothing in them, or a server
 * that answers all alike. Counted without holding every caption of a run: a chunk's ledger names
 * those that a 500th of its captions are, at least, and the run's summary is made of them. So a
 * number may be too small, by less than a 500th of the run, and is never too large (as in Misra and
 * Gries 1982, "Finding repeated elements", whose counters may be added up, too).
 */

/** From so many captioned images on; of few, captions may well be alike. */
const captionedMin = 1_000;
/** A caption is named that is more than this share of a run. */
const shareMin = 0.02;
/** Of a chunk's captions. */
const keptShare = 0.002;

export const repeatedSchema = z.array(
  z.strictObject({ caption: z.string(), images: z.int().min(2) }),
);

/** The most frequent first. */
export type Repeated = z.infer<typeof repeatedSchema>;

/** Of the rows of one chunk. */
export function countRepeated(rows: Iterable<PartRow>): Repeated {
  const counter = new ChunkCounter();
  counter.add(rows);
  return counter.end().repeated;
}

/**
 * Of a chunk of which failures were tried again, from what it said before and the rows that are new.
 * What was not named before is counted by the new rows alone: a number may be too small by less than
 * a 500th of the chunk for each time that this was done, and is still never too large.
 *
 * @param captioned images of the chunk that have a caption now
 */
export function continueRepeated(
  before: Repeated,
  added: Iterable<PartRow>,
  captioned: number,
): Repeated {
  const counts = new Map(before.map(({ caption, images }) => [caption, images]));
  for (const row of added) {
    if (row.status === 'captioned') counts.set(row.caption, (counts.get(row.caption) ?? 0) + 1);
  }
  return mostRepeated(counts, captioned);
}

function mostRepeated(counts: ReadonlyMap<string, number>, captioned: number): Repeated {
  const all = Array.from(counts, ([caption, images]) => ({ caption, images }));
  return inOrder(all.filter(({ images }) => images >= keptMin(captioned)));
}

/** Of rows as they come, with what is not divided into chunks divided here. */
export class RepeatedCaptions {
  readonly #chunks: CountedChunk[] = [];
  #counter = new ChunkCounter();

  add(rows: Iterable<PartRow>): void {
    this.#counter.add(rows);
    if (this.#counter.captioned < rowsOfChunk) return;
    this.#chunks.push(this.#counter.end());
    this.#counter = new ChunkCounter();
  }

  /** As `findRepeated`. */
  find(): Repeated {
    return findRepeated([...this.#chunks, this.#counter.end()]);
  }
}

/** Of what has no chunks of its own: as many as those of a run mostly have. */
const rowsOfChunk = 8_192;

class ChunkCounter {
  readonly #counts = new Map<string, number>();
  captioned = 0;

  add(rows: Iterable<PartRow>): void {
    for (const row of rows) {
      if (row.status !== 'captioned') continue;
      this.captioned += 1;
      this.#counts.set(row.caption, (this.#counts.get(row.caption) ?? 0) + 1);
    }
  }

  end() {
    return { captioned: this.captioned, repeated: mostRepeated(this.#counts, this.captioned) };
  }
}

export interface CountedChunk {
  captioned: number;
  /** None where it was written before they were counted. */
  repeated?: Repeated | undefined;
}

/** Images with one caption, from which on a chunk names it. */
function keptMin(captioned: number): number {
  return Math.max(2, keptShare * captioned);
}

/** Images with one caption that a chunk does not name, at most. */
function unseenIn({ captioned, repeated }: CountedChunk): number {
  return repeated ? Math.min(captioned, Math.ceil(keptMin(captioned)) - 1) : 0;
}

function inOrder(list: Repeated): Repeated {
  return list.toSorted((a, b) => b.images - a.images || (a.caption < b.caption ? -1 : 1));
}

/**
 * Every caption that is more than 2% of a run, and perhaps one of hardly less. What is more than 2%
 * of the whole is more than that of some chunk: no others have to be added up.
 *
 * @param chunks of the whole run
 */
export function findRepeated(chunks: Iterable<CountedChunk>): Repeated {
  const all = Array.from(chunks);
  const captioned = all.reduce((sum, chunk) => sum + chunk.captioned, 0);
  if (captioned < captionedMin) return [];
  const found = new Map<string, { images: number; unseenMax: number }>();
  const unseenMax = all.reduce((sum, chunk) => sum + unseenIn(chunk), 0);
  for (const { captioned, repeated = [] } of all) {
    for (const { caption, images } of repeated) {
      if (images > shareMin * captioned) found.set(caption, { images: 0, unseenMax });
    }
  }
  for (const chunk of all) {
    for (const { caption, images } of chunk.repeated ?? []) {
      const sum = found.get(caption);
      if (!sum) continue;
      sum.images += images;
      sum.unseenMax -= unseenIn(chunk);
    }
  }
  const named = [...found].filter(
    ([, { images, unseenMax }]) => images + unseenMax > shareMin * captioned,
  );
  return inOrder(named.map(([caption, { images }]) => ({ caption, images })));
}
