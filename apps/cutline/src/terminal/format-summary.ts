import type { Repeated, Summary } from '@cutline/shared/run';
import {
  formatCount,
  formatCounts,
  formatDuration,
  formatQuantity,
  formatRate,
  formatReasons,
  formatUsage,
} from './format.ts';

/** The end of a run, for a person. */
export function formatSummary(summary: Summary, results: string): string {
  const { images, captioned, skipped, failed, imagesPerSecond } = summary;
  const { usage, sidecars, blank, duplicates, repeated = [] } = summary;
  const notes = Object.entries({ blank, copied: duplicates }).flatMap(([name, count]) =>
    count ? [`${name} ${formatCount(count)}`] : [],
  );
  const seconds = (Date.parse(summary.finished) - Date.parse(summary.created)) / 1000;
  const rate = formatRate(imagesPerSecond);
  const lines = [
    `Run ${summary.run}: ${formatQuantity(images, 'image')} in ${formatDuration(seconds)}` +
      (rate && ` (${rate})`),
    `  captioned  ${formatCount(captioned)}${notes.length > 0 ? `  (${notes.join(', ')})` : ''}`,
    `  skipped    ${formatCount(skipped)}${inBrackets(formatReasons(summary.skippedByReason))}`,
    `  failed     ${formatCount(failed)}${inBrackets(formatCounts(summary.failedByClass))}`,
    ...describeRepeated(repeated, captioned).map((each) => `             ${each}`),
    ...(sidecars ? [`  sidecars   ${describeSidecars(sidecars)}`] : []),
    ...(usage ? [`  used       ${formatUsage(usage)}`] : []),
    `  results    ${results}`,
  ];
  return `${lines.join('\n')}\n`;
}

/**
 * `23% say “a dog running”`: what a person has to look at, if these images do not all show that.
 *
 * @param captioned images
 */
export function describeRepeated(repeated: Repeated, captioned: number): string[] {
  const lines = repeated.slice(0, repeatedMax).map(({ caption, images }) => {
    const text =
      caption.length > captionMax ? `${caption.slice(0, captionMax - 1).trimEnd()}…` : caption;
    return `${Math.round((100 * images) / captioned)}% say “${text}”`;
  });
  const more = repeated.length - lines.length;
  return more > 0 ? [...lines, `and ${formatQuantity(more, 'other caption')} of many`] : lines;
}

const repeatedMax = 3;
const captionMax = 48;

/** Of files that others wrote. */
export function describeSidecars({ kept, merged }: NonNullable<Summary['sidecars']>): string {
  const parts = [
    kept > 0 ? `${formatCount(kept)} of yours kept` : '',
    merged > 0 ? `${formatCount(merged)} of yours added to` : '',
  ];
  return parts.filter(Boolean).join(', ');
}

function inBrackets(text: string): string {
  return text && `  (${text})`;
}
