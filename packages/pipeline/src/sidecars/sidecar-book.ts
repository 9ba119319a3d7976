import {
  addSidecarRecords,
  listSidecarRecords,
  type RunStore,
  readSidecarRecords,
  type SidecarRecord,
} from '@cutline/shared/run';

/**
 * What a run is known to have written beside images, or to have been about to write: by it, a file
 * is known to be its own.
 */
export interface SidecarBook {
  /** Of these keys, and maybe of others. */
  read(keys: readonly string[]): Promise<readonly SidecarRecord[]>;
  add(records: readonly SidecarRecord[]): Promise<void>;
}

/** That of one batch: many workers write at a time, each of which reads no more than its own. */
export function batchBook(run: RunStore, batch: number): SidecarBook {
  return {
    read: () => readSidecarRecords(run, batch),
    add: (records) => addSidecarRecords(run, batch, records),
  };
}

export interface WholeBook extends SidecarBook {
  has(key: string): boolean;
}

/**
 * That of a whole run, which one process writes, and whose images are in no batches: in memory. In
 * the store, what is added at a time stands for a batch, where all records of a key are together.
 */
export async function readWholeBook(run: RunStore): Promise<WholeBook> {
  const byKey = new Map<string, { batch: number; records: SidecarRecord[] }>();
  let batches = 0;
  const keep = (record: SidecarRecord) => {
    const known = byKey.get(record.key);
    if (known) known.records.push(record);
    else byKey.set(record.key, { batch: batches, records: [record] });
  };
  for await (const records of listSidecarRecords(run)) {
    records.forEach(keep);
    batches += 1;
  }
  return {
    has: (key) => byKey.has(key),
    read: async (keys) => keys.flatMap((key) => byKey.get(key)?.records ?? []),
    async add(records) {
      const byBatch = new Map<number, SidecarRecord[]>();
      for (const record of records) {
        const batch = byKey.get(record.key)?.batch ?? batches;
        byBatch.set(batch, [...(byBatch.get(batch) ?? []), record]);
      }
      for (const [batch, those] of byBatch) await addSidecarRecords(run, batch, those);
      records.forEach(keep);
      if (byBatch.has(batches)) batches += 1;
    },
  };
}
