import { formatDuration } from './format.ts';

/**
 * A run's deadline, for a person: how far off it is, and whether it is met as things are.
 *
 * @param deadline ISO 8601
 * @param of when the run was finished, or the seconds that it takes still (undefined: no telling)
 */
export function formatDeadline(
  deadline: string,
  of: { finished: string } | { nowMs: number; secondsLeft: number | undefined },
): string {
  const at = Date.parse(deadline);
  const time = `${deadline.slice(0, 10)} ${deadline.slice(11, 16)} UTC`;
  if ('finished' in of) return `${time}, done ${distance(Date.parse(of.finished) - at)}`;
  const { nowMs, secondsLeft } = of;
  const until = (at - nowMs) / 1000;
  const off = until > 0 ? `in ${formatDuration(until)}` : `passed ${formatDuration(-until)} ago`;
  if (secondsLeft === undefined) return `${time}, ${off}`;
  return `${time}, ${off}; at the rate so far done ${distance(nowMs + secondsLeft * 1000 - at)}`;
}

/** @param lateMs negative where it is met */
function distance(lateMs: number): string {
  const time = formatDuration(Math.abs(lateMs) / 1000);
  return lateMs > 0 ? `${time} late` : `${time} early`;
}
