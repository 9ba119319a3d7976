import { RunStore, readFloor } from '@cutline/shared/run';
import type { ObjectStore } from '@cutline/shared/stores';
import type { RunBoard } from '../board/run-board.ts';
import type { DecodeJob, EncodeJob } from '../jobs.ts';

/**
 * The lowest generation that a job's run still wants. The board knows it; where it forgot, those who
 * write parts ask the output store, and encoders, who may have no access to it, take any generation.
 */
export async function floorOf(
  { run, output }: Pick<EncodeJob | DecodeJob, 'run' | 'output'>,
  {
    board,
    asksStore,
    openStore,
  }: {
    board: RunBoard;
    asksStore: boolean;
    openStore: (url: string) => Promise<ObjectStore>;
  },
): Promise<number> {
  const known = await board.floor(run);
  if (known !== undefined || !asksStore) return known ?? 0;
  const floor = await readFloor(new RunStore(await openStore(output.store), output.prefix, run));
  await board.raiseFloor(run, floor);
  return floor;
}
