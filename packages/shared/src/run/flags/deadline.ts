import { InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';

/**
 * The time by which a run should be done: pools are scaled to it (infra/prometheus/scaling.yml), and
 * people are told when it will be missed. Nothing is stopped or left out when it has passed.
 */

/** ISO 8601 in UTC, as runs say it. */
export const deadlineSchema = z.iso.datetime();

export const deadlineOption = () =>
  new Option(
    '--deadline <time>',
    'when the run should be done, such as 2026-12-01T06:00Z: pools that are scaled by drain time are as large as that takes',
  ).argParser(parseDeadline);

/** A time of ISO 8601 that says its zone: whoever reads it may be elsewhere than who wrote it. */
function parseDeadline(text: string): string {
  const match = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.exec(text);
  const time = match ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(time)) return new Date(time).toISOString();
  throw new InvalidArgumentError(
    'Expected a day, a time and its zone: 2026-12-01T06:00Z, or 2026-12-01T07:00+01:00.',
  );
}
