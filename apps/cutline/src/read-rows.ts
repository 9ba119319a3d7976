import type { PartRow, RunStore } from '@cutline/shared/run';

/** Every row of a run, in batch order, a part at a time. */
export async function* readRows(run: RunStore): AsyncGenerator<PartRow[]> {
  const parts = [...(await run.listParts()).entries()].toSorted(([a], [b]) => a - b);
  for (const part of parts.flatMap(([, names]) => names)) yield run.readPart(part);
}
