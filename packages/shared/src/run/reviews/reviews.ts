import { compareKeys } from '../../stores/key-order.ts';
import { type Decision, type Judgement, reviewedImage } from './decision.ts';

/**
 * All decisions of a run, and which of them counts: of an image, the latest judgement that its
 * maker has not taken back. "Latest" is by its time, then by its id. It does not matter in which
 * order decisions are added, nor how often.
 */
export class Reviews {
  /** By id. */
  readonly #decisions = new Map<string, Decision>();
  /** By image, in their order. */
  readonly #judgements = new Map<string, Judgement[]>();
  /** Ids of judgements that were taken back, with the name of whoever did it. */
  readonly #undone = new Set<string>();

  /** How many decisions there are, those taken back included. */
  get size(): number {
    return this.#decisions.size;
  }

  /** @returns false where it is known already. */
  add(decision: Decision): boolean {
    if (this.#decisions.has(decision.id)) return false;
    this.#decisions.set(decision.id, decision);
    if (decision.decision === 'undone') {
      this.#undone.add(undoing(decision.undoes, decision.who));
      return true;
    }
    const name = reviewedImage(decision);
    const judgements = this.#judgements.get(name) ?? [];
    judgements.push(decision);
    judgements.sort(inOrder);
    this.#judgements.set(name, judgements);
    return true;
  }

  find(id: string): Decision | undefined {
    return this.#decisions.get(id);
  }

  /** What counts of an image; undefined where nobody has judged it. */
  of(image: { key: string; etag: string | null }): Judgement | undefined {
    return this.#counting(this.#judgements.get(reviewedImage(image)) ?? []);
  }

  /** What counts, an image each. */
  *judgements(): Generator<Judgement> {
    for (const judgements of this.#judgements.values()) {
      const counting = this.#counting(judgements);
      if (counting) yield counting;
    }
  }

  /** Every decision, whether it counts or not. */
  decisions(): Iterable<Decision> {
    return this.#decisions.values();
  }

  #counting(judgements: readonly Judgement[]): Judgement | undefined {
    return judgements.findLast(({ id, who }) => !this.#undone.has(undoing(id, who)));
  }
}

/** Images by what counts of them. */
export type ReviewCounts = Record<Judgement['decision'], number>;

export function countReviews(reviews: Reviews): ReviewCounts {
  const counts: ReviewCounts = { accepted: 0, corrected: 0, rejected: 0 };
  for (const { decision } of reviews.judgements()) counts[decision] += 1;
  return counts;
}

function inOrder(a: Judgement, b: Judgement): number {
  return Date.parse(a.at) - Date.parse(b.at) || compareKeys(a.id, b.id);
}

function undoing(id: string, who: string): string {
  return `${id} ${who}`;
}
