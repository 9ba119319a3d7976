import { batchNumber } from './attempt.ts';
import { isTaken } from './json-objects.ts';
import { sha256 } from './ledger.ts';
import { parseJsonLines } from './part.ts';
import type { RunStore } from './run-store.ts';
import { type SidecarRecord, sidecarRecordSchema } from './sidecars.ts';

/**
 * What a run writes beside images, recorded before it is written, so that it is known again:
 *
 *   <prefix>runs/<run>/sidecars/000512.<hash>.jsonl
 *
 * An object for each time that a batch is about to write what is in no record of it yet: nearly
 * always one. More are there where a delivery was repeated and found other files, or had other
 * captions, as servers give them. They are named by their content: none is ever replaced.
 */

/** All that attempts at a batch were about to write. */
export async function readSidecarRecords(run: RunStore, batch: number): Promise<SidecarRecord[]> {
  const records: SidecarRecord[] = [];
  for await (const { key } of run.store.list(`${folderOf(run)}${batchNumber(batch)}.`)) {
    records.push(...(await read(run, key)));
  }
  return records;
}

export async function addSidecarRecords(
  run: RunStore,
  batch: number,
  records: readonly SidecarRecord[],
): Promise<void> {
  const bytes = Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  const hash = sha256(bytes).slice(0, 32);
  const key = `${folderOf(run)}${batchNumber(batch)}.${hash}.jsonl`;
  try {
    await run.store.put(key, bytes, { contentType: 'application/x-ndjson', ifAbsent: true });
  } catch (error) {
    if (!isTaken(error)) throw error;
  }
}

/** The records of the whole run, those of one batch together. */
export async function* listSidecarRecords(run: RunStore): AsyncGenerator<SidecarRecord[]> {
  let records: SidecarRecord[] = [];
  let batch: string | undefined;
  for await (const { key } of run.store.list(folderOf(run))) {
    const [number] = key.slice(folderOf(run).length).split('.');
    if (number !== batch && records.length > 0) {
      yield records;
      records = [];
    }
    batch = number;
    records.push(...(await read(run, key)));
  }
  if (records.length > 0) yield records;
}

function folderOf(run: RunStore): string {
  return `${run.prefix}sidecars/`;
}

async function read(run: RunStore, key: string): Promise<SidecarRecord[]> {
  return parseJsonLines((await run.store.get(key)).bytes, sidecarRecordSchema, key);
}
