import { noRenewal, type RunProgress } from '@cutline/pipeline';
import { isSidecarName } from '@cutline/shared/listing';
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
  formatQuantity,
  formatRate,
  formatUsage,
} from '../terminal/format.ts';
import { describeSidecars } from '../terminal/format-summary.ts';

/** What became of the images so far. */
export class Tally {
  readonly repeated = new RepeatedCaptions();
  counts: Counts = countRows([]);
  /** Images that the encode stage has done with. */
  encoded = 0;
  /** Images whose rows were there before. */
  before = 0;
  /** Rows of images that are not there any more. */
  gone = 0;
  /** What became of files beside images. */
  readonly sidecars = noRenewal();
  /** Files beside images that were listed, and have rows of their own. */
  #sidecarsListed = 0;
  readonly #started = performance.now();

  add(rows: readonly PartRow[]): void {
    this.repeated.add(rows);
    for (const { status, key } of rows) {
      if (status === 'skipped' && isSidecarName(key)) this.#sidecarsListed += 1;
    }
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
    const reasons = Object.keys(skippedByReason).map(describeReason).join(' or ');
    const beside = this.#sidecarsListed;
    const files = beside > 0 ? ` (${formatQuantity(beside, 'file')} beside photographs)` : '';
    return [
      `${formatCount(captioned)} captioned in ${formatDuration(seconds)}${rate && ` (${rate})`}`,
      failed > 0 ? `${formatCount(failed)} failed (${formatCounts(failedByClass)})` : '',
      skipped > 0 ? `${formatCount(skipped)} skipped: ${reasons}${files}` : '',
      usage ? formatUsage(usage) : '',
    ]
      .filter(Boolean)
      .join(', ');
  }

  /** `18 written, 2 of yours kept` */
  describeSidecars(): string {
    const { written, removed, refused } = this.sidecars;
    return [
      written > 0 ? `${formatCount(written)} written` : '',
      describeSidecars(this.sidecars),
      removed > 0 ? `${formatCount(removed)} taken away` : '',
      refused > 0 ? `${formatCount(refused)} not written, which the store cannot hold` : '',
    ]
      .filter(Boolean)
      .join(', ');
  }
}
