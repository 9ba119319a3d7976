import { describeError } from '../../errors.ts';
import { type PartRow, parseJsonLines } from '../part.ts';
import type { RunStore } from '../run-store.ts';
import { type Decision, decisionSchema, reviewedImage } from './decision.ts';
import { drawName, readDraws } from './draw.ts';
import { isReviewKey, reviewsFolder } from './review-objects.ts';

/** Something that names an image of the run, until its row has been seen. */
interface Mention {
  where: string;
  /** The model's caption, as a reviewer had it before them. */
  shown: string | null | undefined;
}

/**
 * Holds a run's reviews against its rows: every object is readable, its decisions are those of the
 * person that it is named after, each names an image of the run and the caption that it has, and
 * what is taken back has been said before.
 */
export class ReviewCheck {
  /** Decisions that were read. */
  decisions = 0;
  readonly #report: (problem: string) => void;
  /** By image, and gone when its row was seen: as many as there are decisions. */
  readonly #mentions = new Map<string, Mention[]>();

  private constructor(report: (problem: string) => void) {
    this.#report = report;
  }

  /** Reads all reviews of a run. */
  static async read(run: RunStore, report: (problem: string) => void): Promise<ReviewCheck> {
    const check = new ReviewCheck(report);
    const made = new Map<string, Decision>();
    const undone: { where: string; undoes: string; who: string }[] = [];
    for await (const { key } of run.store.list(reviewsFolder(run))) {
      if (!isReviewKey(run, key)) continue;
      const name = key.slice(run.prefix.length);
      const { bytes } = await run.store.get(key);
      try {
        for (const [index, decision] of parseJsonLines(bytes, decisionSchema, name).entries()) {
          const where = `${name}, line ${index + 1}`;
          if (!name.startsWith(`reviews/${decision.who}.`)) {
            report(
              `${where}: a decision of ${JSON.stringify(decision.who)}, among those of another`,
            );
          }
          const other = made.get(decision.id);
          if (other && JSON.stringify(other) !== JSON.stringify(decision)) {
            report(`${where}: the id ${decision.id} is that of another decision, too`);
          }
          if (other) continue;
          made.set(decision.id, decision);
          if (decision.decision === 'undone') undone.push({ where, ...decision });
          const shown = decision.decision === 'undone' ? undefined : decision.shown;
          check.#mention(decision, { where, shown });
        }
      } catch (error) {
        report(`${name} cannot be read: ${describeError(error)}`);
      }
    }
    for (const { where, undoes, who } of undone) {
      if (made.get(undoes)?.who !== who) {
        report(`${where}: takes back ${undoes}, which is no decision of ${JSON.stringify(who)}`);
      }
    }
    check.decisions = made.size;
    await check.#readDraws(run);
    return check;
  }

  /** Of every row that counts. */
  see(row: PartRow): void {
    if (row.status === 'skipped' || this.#mentions.size === 0) return;
    const name = reviewedImage(row);
    for (const { where, shown } of this.#mentions.get(name) ?? []) {
      const caption = row.status === 'captioned' ? row.caption : null;
      // What had no caption when it was judged may have got one since.
      if (shown !== undefined && shown !== null && shown !== caption) {
        this.#report(`${where}: is about another caption than the one that the image has`);
      }
    }
    this.#mentions.delete(name);
  }

  /** After all rows. */
  finish(): void {
    for (const [name, mentions] of this.#mentions) {
      for (const { where } of mentions) {
        this.#report(`${where}: names an image that the run does not have: ${name}`);
      }
    }
  }

  async #readDraws(run: RunStore): Promise<void> {
    try {
      for (const { number, images } of await readDraws(run)) {
        for (const image of images) {
          this.#mention(image, { where: drawName(number), shown: undefined });
        }
      }
    } catch (error) {
      this.#report(describeError(error));
    }
  }

  #mention(image: { key: string; etag: string | null }, mention: Mention): void {
    const name = reviewedImage(image);
    this.#mentions.set(name, [...(this.#mentions.get(name) ?? []), mention]);
  }
}
