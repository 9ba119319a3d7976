/** How fast it goes, and how long it will take: the median of the last decisions. */

const rememberedMax = 40;
const neededMin = 4;
/** Whoever is away for longer was not judging. */
const awayMs = 3 * 60_000;

export class Pace {
  readonly #intervalsMs: number[] = [];
  #last: number | undefined;

  /** Of a decision. */
  note(nowMs: number): void {
    const interval = nowMs - (this.#last ?? nowMs);
    if (interval > 0 && interval < awayMs) this.#intervalsMs.push(interval);
    if (this.#intervalsMs.length > rememberedMax) this.#intervalsMs.shift();
    this.#last = nowMs;
  }

  /** @returns `6 s an image, 2 h 5 min left`; nothing before there is a pace. */
  describe(imagesLeft: number): string {
    if (this.#intervalsMs.length < neededMin) return '';
    const sorted = this.#intervalsMs.toSorted((a, b) => a - b);
    const seconds = (sorted[Math.floor(sorted.length / 2)] as number) / 1000;
    const each = seconds < 10 ? seconds.toFixed(1) : seconds.toFixed(0);
    const pace = `${each} s an image`;
    return imagesLeft > 0 ? `${pace}, ${formatDuration(seconds * imagesLeft)} left` : pace;
  }
}

function formatDuration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
