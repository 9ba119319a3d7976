import {
  countReviews,
  type Estimate,
  estimateAccepted,
  type ReviewCounts,
  type RunStore,
  readDraws,
  readReviews,
} from '@cutline/shared/run';
import { formatCount } from '../terminal/format.ts';

/** What people have made of a run's captions so far. */
export interface ReviewStatus extends ReviewCounts {
  /** From the last draw of which something is judged; `interval` holds shares, from 0 to 1. */
  estimate?: Estimate;
}

/** @returns undefined where nobody has judged anything. */
export async function readReviewStatus(run: RunStore): Promise<ReviewStatus | undefined> {
  const reviews = await readReviews(run);
  if (reviews.size === 0) return undefined;
  const estimates = (await readDraws(run)).map((draw) => estimateAccepted(draw, reviews));
  const estimate = estimates.findLast(({ judged }) => judged > 0);
  return { ...countReviews(reviews), ...(estimate && { estimate }) };
}

/** Lines for a person, below those of the run. */
export function formatReviewStatus({
  accepted,
  corrected,
  rejected,
  estimate,
}: ReviewStatus): string[] {
  const judged = formatCount(accepted + corrected + rejected);
  return [
    `  reviewed   ${judged}  (accepted ${formatCount(accepted)}, corrected ` +
      `${formatCount(corrected)}, rejected ${formatCount(rejected)})`,
    ...(estimate?.interval
      ? [`  estimate   ${describeEstimate(estimate, estimate.interval)}`]
      : []),
  ];
}

/** `of 200 drawn, 61% accepted, 95% interval 54 to 68`; of a draw that is not done, how much is. */
function describeEstimate(
  { drawn, judged, accepted }: Estimate,
  { low, high }: { low: number; high: number },
): string {
  const percent = (share: number) => Math.round(100 * share);
  const of = judged < drawn ? `of the first ${formatCount(judged)} of ` : 'of ';
  return (
    `${of}${formatCount(drawn)} drawn, ${percent(accepted / judged)}% accepted, ` +
    `95% interval ${percent(low)} to ${percent(high)}`
  );
}
