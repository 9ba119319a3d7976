import type { Plan } from '@cutline/pipeline';
import type { Summary } from '@cutline/shared/run';
import { formatCount, formatDuration } from '../terminal/format.ts';
import { formatInterval } from './format-estimate.ts';

/** What became of a run so far: how long it takes, and what it found. */
export type Became =
  | { summary: Summary }
  /** `secondsInAll`: at the rate so far; undefined where there is no telling. */
  | { secondsInAll: number | undefined };

/**
 * A run beside its plan, as lines for a person: time, images and failures, where they were planned.
 */
export function comparePlan({ estimate, survey }: Plan, became: Became): string[] {
  const lines: string[] = [];
  const { seconds, failed } = estimate;
  const planned = seconds && formatInterval(seconds, formatDuration);
  if (!('summary' in became)) {
    const { secondsInAll } = became;
    if (!planned) return [];
    const now =
      secondsInAll === undefined ? '' : `; at the rate so far ${formatDuration(secondsInAll)}`;
    return [`${planned}${now}`];
  }
  const { summary } = became;
  if (seconds) {
    const took = (Date.parse(summary.finished) - Date.parse(summary.created)) / 1000;
    lines.push(
      `${planned}, took ${formatDuration(took)}${describeDifference(took / seconds.expected)}`,
    );
  }
  const toCaption = summary.captioned + summary.failed;
  if (toCaption !== survey.images) {
    lines.push(`${formatCount(survey.images)} images, were ${formatCount(toCaption)}`);
  }
  if (failed) {
    const text = formatInterval(failed, (images) => formatCount(Math.round(images)));
    lines.push(`${text} failures, were ${formatCount(summary.failed)}`);
  }
  return lines;
}

function describeDifference(ratio: number): string {
  const percent = Math.round(100 * (ratio - 1));
  if (!Number.isFinite(percent) || percent === 0) return '';
  return percent > 0 ? `: ${percent}% more` : `: ${-percent}% less`;
}
