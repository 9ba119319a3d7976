import { type Claim, floorOf } from './claim.ts';
import { measureManifest } from './manifest.ts';
import type { Run, Summary } from './run.ts';
import type { RunStore } from './run-store.ts';

/** How far a run is, as the output store tells it: without Redis, and without reading results. */
export interface RunState {
  run: Run;
  claims: Claim[];
  manifest: { chunks: number; images: number | null };
  /** The last summary that was written, whether the run went on since or not. */
  lastSummary: { value: Summary; etag: string } | undefined;
  /** The summary, where the run is finished: nobody has claimed it since. */
  summary: Summary | undefined;
  /** Whether the last who claimed it cancelled it. */
  isCancelled: boolean;
  /** The lowest generation whose attempts are still wanted. */
  floor: number;
}

/** @throws UserError where there is no such run, or it was written by another version. */
export async function readRunState(runStore: RunStore): Promise<RunState> {
  const run = await runStore.readRun();
  const claims = await runStore.readClaims();
  const lastSummary = await runStore.readSummary();
  const latest = claims.at(-1);
  const isFinished =
    lastSummary !== undefined && lastSummary.value.generation === latest?.generation;
  return {
    run,
    claims,
    manifest: await measureManifest(runStore, claims),
    lastSummary,
    summary: isFinished ? lastSummary.value : undefined,
    isCancelled: latest?.kind === 'cancel',
    floor: floorOf(claims, isFinished ? latest?.generation : undefined),
  };
}

/**
 * The lowest generation whose attempts a run still wants; for workers, who need nothing else.
 * A run that is not there any more wants nothing.
 */
export async function readFloor(runStore: RunStore): Promise<number> {
  if (!(await runStore.exists())) return Number.MAX_SAFE_INTEGER;
  const claims = await runStore.readClaims();
  const finished = (await runStore.readSummary())?.value.generation;
  return floorOf(claims, finished === claims.at(-1)?.generation ? finished : undefined);
}
