import type { Counts } from '../counts.ts';
import type { PartRow } from '../part.ts';
import type { Repeated } from '../repeated-captions.ts';
import { type UsageTotals, usageSchema } from '../usage.ts';

/** Holds what a ledger or a summary says against what was counted; each difference is told of. */

export type Report = (problem: string) => void;

export function compareCounts(name: string, said: Counts, found: Counts, report: Report): void {
  for (const field of ['images', 'captioned', 'skipped', 'failed'] as const) {
    if (said[field] !== found[field]) {
      report(`${name}: ${field} is ${said[field]}, counted ${found[field]}`);
    }
  }
  for (const field of ['skippedByReason', 'failedByClass'] as const) {
    for (const each of new Set([...Object.keys(said[field]), ...Object.keys(found[field])])) {
      const [a, b] = [said[field][each] ?? 0, found[field][each] ?? 0];
      if (a !== b) report(`${name}: ${field} ${each} is ${a}, counted ${b}`);
    }
  }
  for (const field of ['blank', 'duplicates'] as const) {
    const [a, b] = [said[field] ?? 0, found[field] ?? 0];
    if (a !== b) report(`${name}: ${field} is ${a}, counted ${b}`);
  }
  for (const field of ['kept', 'merged'] as const) {
    const [a, b] = [said.sidecars?.[field] ?? 0, found.sidecars?.[field] ?? 0];
    if (a !== b) report(`${name}: sidecars.${field} is ${a}, counted ${b}`);
  }
  for (const field of ['answers', ...Object.keys(usageSchema.shape)] as (keyof UsageTotals)[]) {
    const [a, b] = [said.usage?.[field] ?? 0, found.usage?.[field] ?? 0];
    if (a !== b) report(`${name}: usage.${field} is ${a}, counted ${b}`);
  }
}

export function compareRepeated(
  name: string,
  said: Repeated,
  found: Repeated,
  report: Report,
): void {
  const imagesOf = (list: Repeated) => new Map(list.map((each) => [each.caption, each.images]));
  const [a, b] = [imagesOf(said), imagesOf(found)];
  for (const caption of new Set([...a.keys(), ...b.keys()])) {
    const [one, other] = [a.get(caption) ?? 0, b.get(caption) ?? 0];
    if (one === other) continue;
    report(`${name}: repeated ${JSON.stringify(caption)} is ${one}, counted ${other}`);
  }
}

/** Where failures were tried again, captions may have been counted too low, never too high. */
export function requireNoMore(
  name: string,
  said: Repeated,
  rows: readonly PartRow[],
  report: Report,
): void {
  const found = new Map<string, number>();
  for (const row of rows) {
    if (row.status === 'captioned') found.set(row.caption, (found.get(row.caption) ?? 0) + 1);
  }
  for (const { caption, images } of said) {
    const counted = found.get(caption) ?? 0;
    if (images <= counted) continue;
    report(`${name}: repeated ${JSON.stringify(caption)} is ${images}, counted ${counted}`);
  }
}
