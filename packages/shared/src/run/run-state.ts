import { type Claim, floorOf } from './claim.ts';
import { measureManifest } from './manifest.ts';
import type { ReadableRun } from './results/chunk-rows.ts';
import type { Run, Summary } from './run.ts';
import type { RunStore } from './run-store.ts';

/** How far a run is, as the output store tells it: without Redis, and without reading results. */
export interface RunState {
  run: Run;
  claims: Claim[];
  manifest: { chunks: number; images: number | null };
  /** The last summary that was written, whether the run went on since or not. */
  lastSummary: { value: Summary; etag: string } | undefined;
  /** The summary, where the run is finished: nobody has claimed it since, to go on with it. */
  summary: Summary | undefined;
  /** Whether the last who claimed it cancelled it, before it was finished. */
  isCancelled: boolean;
  /** The lowest generation whose attempts are still wanted. */
  floor: number;
}

/** @throws UserError where there is no such run, or it was written by another version. */
export async function readRunState(runStore: RunStore): Promise<RunState> {
  const run = await runStore.readRun();
  const claims = await runStore.readClaims();
  const lastSummary = await runStore.readSummary();
  const isFinished = isFinishedBy(claims, lastSummary?.value);
  const summary = isFinished ? lastSummary?.value : undefined;
  return {
    run,
    claims,
    // Of a finished run, the summary says it.
    manifest: summary
      ? { chunks: summary.chunks, images: summary.images }
      : await measureManifest(runStore, claims),
    lastSummary,
    summary,
    isCancelled: !isFinished && claims.at(-1)?.kind === 'cancel',
    floor: floorOf(claims, lastSummary?.value.generation),
  };
}

/**
 * What readers of results have to know, at the least cost: of a finished run, its summary, if no
 * claim was made since.
 */
export async function glanceAtRun(runStore: RunStore): Promise<ReadableRun> {
  const summary = await runStore.glanceAtSummary();
  if (summary?.format === 3 && (await runStore.countClaims()) === summary.generation + 1) {
    return { run: summary, claims: [], manifest: summary, summary };
  }
  return readRunState(runStore);
}

/**
 * The lowest generation whose attempts a run still wants; for workers, who need nothing else.
 * A run that is not there any more wants nothing.
 */
export async function readFloor(runStore: RunStore): Promise<number> {
  if (!(await runStore.exists())) return Number.MAX_SAFE_INTEGER;
  const claims = await runStore.readClaims();
  return floorOf(claims, (await runStore.readSummary())?.value.generation);
}

/**
 * Whether the summary is of the last generation that produced the run. Who cancels a run that is
 * finished (having slept since it was not) takes nothing away from it.
 */
function isFinishedBy(claims: readonly Claim[], summary: Summary | undefined): boolean {
  const last = claims.findLast(({ kind }) => kind === 'produce')?.generation;
  return summary !== undefined && summary.generation === last;
}
