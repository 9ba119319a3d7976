/** How far the review is, above the image: what is judged, how fast it goes, what is on its way. */
import { byId } from '../../loopback/client/elements.ts';
import { formatCount } from '../../loopback/client/format.ts';
import type { Progress } from './messages.ts';
import type { Pace } from './pace.ts';

const bar = byId<HTMLProgressElement>('bar');

/** @param left of the list */
export function showProgress(progress: Progress, pace: Pace, left: number): void {
  const { accepted, corrected, rejected, images, estimate } = progress;
  const judged = estimate ? estimate.judged : accepted + corrected + rejected;
  const all = estimate ? estimate.drawn : images;
  bar.max = Math.max(1, all);
  bar.value = judged;
  byId('judged').textContent =
    `${formatCount(judged)} of ${formatCount(all)} ${estimate ? 'drawn' : 'judged'}`;
  byId('tally').textContent = estimate
    ? describeEstimate(estimate)
    : `${formatCount(accepted)} accepted, ${formatCount(corrected)} corrected, ${formatCount(rejected)} rejected`;
  byId('pace').textContent = pace.describe(left);
}

/** `61% accepted, 95% interval 54 to 68` */
export function describeEstimate({
  judged,
  accepted,
  low,
  high,
}: NonNullable<Progress['estimate']>): string {
  if (judged === 0 || low === undefined || high === undefined) return '';
  const percent = (share: number) => Math.round(100 * share);
  return `${percent(accepted / judged)}% accepted, 95% interval ${percent(low)} to ${percent(high)}`;
}

export function showSaving(waiting: number, trouble: string | undefined): void {
  const line = byId('saving');
  line.classList.toggle('is-trouble', trouble !== undefined);
  if (trouble !== undefined) line.textContent = `${waiting} not saved yet. ${trouble}`;
  else line.textContent = waiting > 2 ? `saving ${waiting} …` : '';
}
