/**
 * What reviewers of one process do to a run: choose images, look at them, decide, take back. It
 * follows what others decide meanwhile, in other processes too.
 */
import { randomInt } from 'node:crypto';
import {
  captionOf,
  countReviews,
  type Decision,
  type Draw,
  decisionSchema,
  estimateAccepted,
  type Judgement,
  type ReviewLog,
  type ReviewReader,
  type Reviews,
} from '@cutline/shared/run';
import { RefusedError } from '../loopback/refused-error.ts';
import { chooseImages, kindsOf } from './choose-images.ts';
import type {
  Decide,
  Decided,
  Item,
  Opening,
  Progress,
  Query,
  Review,
  Selected,
  Undo,
} from './client/messages.ts';
import type { ImageIndex, IndexedImage } from './image-index.ts';

export interface SessionContext {
  run: string;
  model: string;
  who: string;
  index: ImageIndex;
  reader: Pick<ReviewReader, 'refresh' | 'reviews'>;
  log: Pick<ReviewLog, 'add'>;
  now: () => Date;
  draw?: Draw | undefined;
  /** The first n of the first list, where there is no draw. */
  only?: number | undefined;
}

/** Lists that are kept: whoever has an older one asks again. */
const listsMax = 16;

/** What others decide is looked for no more often than this. */
const refreshMs = 5_000;

export class ReviewSession {
  readonly #context: SessionContext;
  readonly #seed = randomInt(2 ** 32);
  readonly #lists = new Map<number, Uint32Array>();
  #listCount = 0;
  /** Decisions that are on their way to the store: said again, each is the same one. */
  readonly #pending = new Map<string, Promise<Decided>>();
  readonly #prepared = new Map<string, Decision>();
  #refreshed = Number.NEGATIVE_INFINITY;

  constructor(context: SessionContext) {
    this.#context = context;
  }

  get #reviews(): Reviews {
    return this.#context.reader.reviews;
  }

  open(): Opening {
    const { run, model, who, index, draw } = this.#context;
    const kinds = kindsOf(index.images);
    return { run, model, who, kinds, isDraw: draw !== undefined, progress: this.#progress() };
  }

  async select(query: Query): Promise<Selected> {
    await this.#refresh();
    const chosen = this.#choose(query);
    const list = this.#listCount++;
    this.#lists.set(list, chosen);
    if (this.#lists.size > listsMax) this.#lists.delete(list - listsMax);
    const first = chosen.findIndex((n) => !this.#reviews.of(this.#image(n)));
    return { list, images: chosen.length, first: Math.max(0, first) };
  }

  /** @throws RefusedError `gone` where the list is not kept any more. */
  async items({ list, from, count }: { list: number; from: number; count: number }) {
    const chosen = this.#lists.get(list);
    if (!chosen) throw new RefusedError('gone', 'This list is not kept any more: ask again.');
    await this.#refresh();
    const numbers = [...chosen.subarray(from, from + count)];
    return Promise.all(numbers.map((n) => this.#item(n)));
  }

  /** @throws RefusedError where there is no such image. */
  image(n: number): IndexedImage {
    return this.#image(n);
  }

  decide(request: Decide): Promise<Decided> {
    return this.#once(request.id, async () => {
      const image = this.#image(request.n);
      const current = this.#reviews.of(image);
      const isSaidAgain =
        this.#prepared.has(request.id) || this.#reviews.find(request.id) !== undefined;
      if (!isSaidAgain && (current?.id ?? null) !== request.seen) return this.#answer(image, false);
      return this.#store(request.id, image, () => this.#judgement(request, image, current));
    });
  }

  /** @throws RefusedError where it is no decision of this reviewer. */
  undo({ id, undoes }: Undo): Promise<Decided> {
    return this.#once(id, async () => {
      const undone = this.#reviews.find(undoes);
      const { who, index } = this.#context;
      const n = undone && index.numberOf(undone);
      if (!undone || n === undefined || undone.who !== who || undone.decision === 'undone') {
        throw new RefusedError('invalid', `There is no decision of ${who} to be taken back.`);
      }
      const image = this.#image(n);
      return this.#store(id, image, () => ({
        ...this.#fields(id, image, undone),
        decision: 'undone',
        undoes,
      }));
    });
  }

  async progress(): Promise<Progress> {
    await this.#refresh();
    return this.#progress();
  }

  #choose(query: Query): Uint32Array {
    const { index, draw, only } = this.#context;
    if (draw) {
      return Uint32Array.from(draw.images.flatMap((image) => index.numberOf(image) ?? []));
    }
    const judge = (image: IndexedImage) => this.#reviews.of(image);
    const chosen = chooseImages(index, query, judge, this.#seed);
    return only === undefined ? chosen : chosen.subarray(0, only);
  }

  /** Whoever asks for the same while it is being done gets the same answer. */
  #once(id: string, work: () => Promise<Decided>): Promise<Decided> {
    const pending = this.#pending.get(id);
    if (pending) return pending;
    const done = work().finally(() => this.#pending.delete(id));
    this.#pending.set(id, done);
    return done;
  }

  async #store(id: string, image: IndexedImage, make: () => Decision): Promise<Decided> {
    if (!this.#reviews.find(id)) {
      // The store may have it although it did not say so: then it must be the same again.
      const decision = this.#prepared.get(id) ?? decisionSchema.parse(make());
      this.#prepared.set(id, decision);
      await this.#context.log.add(decision);
      this.#reviews.add(decision);
      this.#prepared.delete(id);
    }
    return this.#answer(image, true);
  }

  #judgement(
    { id, decision, caption }: Decide,
    image: IndexedImage,
    current: Judgement | undefined,
  ): Decision {
    const fields = this.#fields(id, image, current);
    const shown = image.caption;
    if (decision === 'corrected') {
      if (caption === undefined) throw new RefusedError('invalid', 'A correction has a caption.');
      return { ...fields, decision, shown, caption };
    }
    if (shown === null) {
      throw new RefusedError('invalid', 'The image has no caption that could be judged.');
    }
    return { ...fields, decision, shown };
  }

  /** Later than what it is an answer to, whatever clocks say. */
  #fields(id: string, { key, etag }: IndexedImage, before: Decision | undefined) {
    const { who, now } = this.#context;
    const ms = Math.max(now().getTime(), before ? Date.parse(before.at) + 1 : 0);
    return { id, key, etag, who, at: new Date(ms).toISOString() };
  }

  #answer(image: IndexedImage, isStored: boolean): Decided {
    return { isStored, review: this.#review(image), progress: this.#progress() };
  }

  #image(n: number): IndexedImage {
    const image = this.#context.index.images[n];
    if (!image) throw new RefusedError('invalid', `There is no image ${n}.`);
    return image;
  }

  async #item(n: number): Promise<Item> {
    const image = this.#image(n);
    const row = await this.#context.index.readRow(image);
    const common = { n, key: image.key, review: this.#review(image) };
    if (row.status === 'failed') {
      const notes = [`failed, ${row.failure.class}: ${row.failure.message}`];
      const nothing = { caption: null, score: null, candidates: [], width: null, height: null };
      return { ...common, ...nothing, notes };
    }
    const { caption, score, candidates, width, height, warnings = [] } = row;
    const others = candidates.slice(1).map(({ caption, score }) => ({ caption, score }));
    const notes = warnings.map((warning) => `warning: ${warning}`);
    return { ...common, caption, score, candidates: others, notes, width, height };
  }

  #review(image: IndexedImage): Review | null {
    const judgement = this.#reviews.of(image);
    if (!judgement) return null;
    const { id, decision, who, at } = judgement;
    const isMine = who === this.#context.who;
    return { id, decision, caption: captionOf(judgement), who, at, isMine };
  }

  #progress(): Progress {
    const { index, draw } = this.#context;
    const counts = countReviews(this.#reviews);
    if (!draw) return { ...counts, images: index.images.length };
    const { drawn, judged, accepted, interval } = estimateAccepted(draw, this.#reviews);
    const estimate = { drawn, judged, accepted, ...interval };
    return { ...counts, images: index.images.length, estimate };
  }

  async #refresh(): Promise<void> {
    const now = performance.now();
    if (now - this.#refreshed < refreshMs) return;
    this.#refreshed = now;
    await this.#context.reader.refresh();
  }
}
