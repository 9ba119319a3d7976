import { listSidecarRecords, type RunStore, type SidecarRecord, sha256 } from '@cutline/shared/run';
import { type ObjectStore, StoreError } from '@cutline/shared/stores';
import pLimit from 'p-limit';
import { sidecarContentTypes } from './write-sidecars.ts';

/** What became of the files that a run wrote beside images, or added something to. */
export interface Withdrawal {
  /** Files of Cutline's that are gone now. */
  removed: number;
  /** Files of others that are again as they were. */
  restored: number;
  /** Files that somebody has changed since: they stay. The first ones, and how many there are. */
  changed: string[];
  changedCount: number;
  /** Files that were gone already. */
  missing: number;
}

/** Requests at a time. */
const parallelism = 16;

/** A file that has grown beyond this is not read: somebody has changed it. */
const fileBytesMax = 16 * 1024 * 1024;

/** As many names of changed files are kept as a person would read. */
const namesMax = 20;

/**
 * Takes away what a run wrote beside images: files that are still as they were written, and what
 * was added to files of others. Whatever somebody has changed since stays. It may be repeated.
 *
 * @param store that has the files, where that is not the one that has the run
 */
export async function withdrawSidecars(
  run: RunStore,
  store: ObjectStore = run.store,
): Promise<Withdrawal> {
  const withdrawal = {
    removed: 0,
    restored: 0,
    changed: [] as string[],
    changedCount: 0,
    missing: 0,
  };
  const limit = pLimit(parallelism);
  for await (const records of listSidecarRecords(run)) {
    const byKey = new Map<string, SidecarRecord[]>();
    for (const record of records) {
      byKey.set(record.key, [...(byKey.get(record.key) ?? []), record]);
    }
    const outcomes = await Promise.all(
      Array.from(byKey, ([key, ofKey]) =>
        limit(async () => ({ key, outcome: await takeAway(store, key, ofKey) })),
      ),
    );
    for (const { key, outcome } of outcomes) {
      if (outcome !== 'changed') {
        withdrawal[outcome] += 1;
        continue;
      }
      withdrawal.changedCount += 1;
      if (withdrawal.changed.length < namesMax) withdrawal.changed.push(key);
    }
  }
  return withdrawal;
}

/** @param records of this key: what the run wrote there, or meant to, at one time or another. */
export async function takeAway(
  store: ObjectStore,
  key: string,
  records: readonly SidecarRecord[],
): Promise<'removed' | 'restored' | 'changed' | 'missing'> {
  if (!(await store.head(key))) return 'missing';
  try {
    const { bytes, etag } = await store.get(key, { bytesMax: fileBytesMax });
    const hash = sha256(bytes);
    if (records.some((record) => record.how === 'written' && record.sha256 === hash)) {
      await store.delete(key, { ifMatch: etag });
      return 'removed';
    }
    const without = records.reduce(takeOut, bytes);
    if (without === bytes) return 'changed';
    await store.put(key, without, { ifMatch: etag, contentType: sidecarContentTypes.xmp });
    return 'restored';
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.reason === 'not-found') return 'missing';
    // Of another size than what was written, or in the hands of somebody at this moment.
    if (['exists', 'changed', 'too-large'].includes(error.reason)) return 'changed';
    throw error;
  }
}

/** @returns the same bytes where what was inserted is not in them. */
function takeOut(bytes: Buffer, record: SidecarRecord): Buffer {
  if (record.how !== 'merged') return bytes;
  const inserted = Buffer.from(record.inserted);
  const at = bytes.indexOf(inserted);
  if (at < 0) return bytes;
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + inserted.length)]);
}
