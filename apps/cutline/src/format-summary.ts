import type { Summary } from '@cutline/shared/run';
import {
  formatCount,
  formatCounts,
  formatDuration,
  formatQuantity,
  formatRate,
  formatUsage,
} from './format.ts';

/** The end of a run, for a person. */
export function formatSummary(summary: Summary, results: string): string {
  const { images, captioned, skipped, failed, imagesPerSecond, usage, sidecars } = summary;
  const seconds = (Date.parse(summary.finished) - Date.parse(summary.created)) / 1000;
  const rate = formatRate(imagesPerSecond);
  const lines = [
    `Run ${summary.run}: ${formatQuantity(images, 'image')} in ${formatDuration(seconds)}` +
      (rate && ` (${rate})`),
    `  captioned  ${formatCount(captioned)}`,
    `  skipped    ${formatCount(skipped)}${reasons(summary.skippedByReason)}`,
    `  failed     ${formatCount(failed)}${reasons(summary.failedByClass)}`,
    ...(sidecars ? [`  sidecars   ${describeSidecars(sidecars)}`] : []),
    ...(usage ? [`  used       ${formatUsage(usage)}`] : []),
    `  results    ${results}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** Of files that others wrote. */
function describeSidecars({ kept, merged }: NonNullable<Summary['sidecars']>): string {
  const parts = [
    kept > 0 ? `${formatCount(kept)} of yours kept` : '',
    merged > 0 ? `${formatCount(merged)} of yours added to` : '',
  ];
  return parts.filter(Boolean).join(', ');
}

function reasons(counts: Record<string, number>): string {
  const text = formatCounts(counts);
  return text && `  (${text})`;
}
