/**
 * How often the most frequent of the last captions is among them. In a window, so that memory is
 * bounded and an archive that changes is seen; of one process, since all of a pool meet the same
 * mixture.
 */

const captionsMax = 5_000;
/** One among fewer says nothing. */
const captionsMin = 500;

export class CaptionShare {
  readonly #window: string[] = [];
  readonly #counts = new Map<string, number>();
  #next = 0;
  /** Of the most frequent one, when it was last looked for. */
  #most = 0;

  add(caption: string): void {
    const leaving = this.#window[this.#next];
    if (leaving !== undefined) this.#change(leaving, -1);
    this.#window[this.#next] = caption;
    this.#next = (this.#next + 1) % captionsMax;
    this.#most = Math.max(this.#most, this.#change(caption, 1));
    // What was the most frequent may have left: looked for once a round, which is cheap enough.
    if (this.#next === 0) this.#most = Math.max(...this.#counts.values());
  }

  /** 0 to 1; undefined before there are enough captions to tell. */
  share(): number | undefined {
    const { length } = this.#window;
    return length < captionsMin ? undefined : this.#most / length;
  }

  #change(caption: string, by: number): number {
    const count = (this.#counts.get(caption) ?? 0) + by;
    if (count > 0) this.#counts.set(caption, count);
    else this.#counts.delete(caption);
    return count;
  }
}
