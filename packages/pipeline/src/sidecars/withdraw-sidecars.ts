import { type RunStore, type SidecarRecord, sha256 } from '@cutline/shared/run';
import { type ObjectStore, StoreError } from '@cutline/shared/stores';
import pLimit from 'p-limit';

/** What became of the files that a run wrote beside images, or added something to. */
export interface Withdrawal {
  /** Files of Cutline's that are gone now. */
  removed: number;
  /** Files of others that are again as they were. */
  restored: number;
  /** Files that somebody has changed since: they stay. */
  changed: string[];
  /** Files that were gone already. */
  missing: number;
}

/** Requests at a time. */
const parallelism = 16;

/** As many names of changed files are kept as a person would read. */
const namesMax = 20;

/**
 * Takes away what a run wrote beside images: files that are still as they were written, and what
 * was added to files of others. Whatever somebody has changed since stays. It may be repeated.
 */
export async function withdrawSidecars(
  run: RunStore,
): Promise<Withdrawal & { changedCount: number }> {
  const withdrawal = {
    removed: 0,
    restored: 0,
    changed: [] as string[],
    changedCount: 0,
    missing: 0,
  };
  const limit = pLimit(parallelism);
  for await (const records of run.listSidecars()) {
    const outcomes = await Promise.all(
      records.map((record) =>
        limit(async () => ({ record, outcome: await withdraw(run.store, record) })),
      ),
    );
    for (const { record, outcome } of outcomes) {
      if (outcome !== 'changed') {
        withdrawal[outcome] += 1;
        continue;
      }
      withdrawal.changedCount += 1;
      if (withdrawal.changed.length < namesMax) withdrawal.changed.push(record.key);
    }
  }
  return withdrawal;
}

async function withdraw(
  store: ObjectStore,
  record: SidecarRecord,
): Promise<'removed' | 'restored' | 'changed' | 'missing'> {
  const { key } = record;
  if (!(await store.head(key))) return 'missing';
  try {
    const { bytes, etag } = await store.get(key);
    if (record.how === 'written') {
      if (sha256(bytes) !== record.sha256) return 'changed';
      await store.delete(key, { ifMatch: etag });
      return 'removed';
    }
    const inserted = Buffer.from(record.inserted);
    const at = bytes.indexOf(inserted);
    if (at < 0) return 'changed';
    const without = [bytes.subarray(0, at), bytes.subarray(at + inserted.length)];
    await store.put(key, Buffer.concat(without), { ifMatch: etag });
    return 'restored';
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.reason === 'not-found') return 'missing';
    if (error.reason === 'exists') return 'changed';
    throw error;
  }
}
