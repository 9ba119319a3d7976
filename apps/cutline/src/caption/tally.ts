import type { Renewal, RunProgress } from '@cutline/pipeline';
import {
  addCounts,
  type Counts,
  countRows,
  type PartRow,
  RepeatedCaptions,
} from '@cutline/shared/run';
import {
  describeReason,
  formatCount,
  formatCounts,
  formatDuration,
  formatRate,
  formatUsage,
} from '../format.ts';

/** What became of the images so far. */
export class Tally {
  readonly repeated = new RepeatedCaptions();
  counts: Counts = countRows([]);
  /** Images that the encode stage has done with. */
  encoded = 0;
  /** Images whose rows were there before. */
  before = 0;
  /** What became of their sidecars. */
  renewed: Renewal | undefined;
  readonly #started = performance.now();

  add(rows: readonly PartRow[]): void {
    this.repeated.add(rows);
    this.counts = addCounts([this.counts, countRows(rows)]);
  }

  /** As a run's, which it is shown as. */
  progress({ listed, isComplete }: { listed: number; isComplete: boolean }): RunProgress {
    const { captioned, skipped, failed, failedByClass } = this.counts;
    return {
      ...{ listed, listingComplete: isComplete ? 1 : 0, enqueued: listed },
      encoded: this.before + Math.max(this.encoded, captioned),
      captioned: this.before + captioned,
      ...{ skipped, failed, failedByClass },
    };
  }

  /** `70 captioned in 10 s (7.2 images/s), 1 failed (corrupt 1), 3 skipped: not a photograph` */
  describe(): string {
    const { captioned, skipped, failed, failedByClass, skippedByReason, usage } = this.counts;
    const seconds = (performance.now() - this.#started) / 1000;
    const rate = formatRate(captioned / seconds);
    const reasons = Object.keys(skippedByReason).map(describeReason);
    return [
      `${formatCount(captioned)} captioned in ${formatDuration(seconds)}${rate && ` (${rate})`}`,
      failed > 0 ? `${formatCount(failed)} failed (${formatCounts(failedByClass)})` : '',
      skipped > 0 ? `${formatCount(skipped)} skipped: ${reasons.join(' or ')}` : '',
      usage ? formatUsage(usage) : '',
    ]
      .filter(Boolean)
      .join(', ');
  }
}
