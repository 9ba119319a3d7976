import {
  batchesOf,
  countRows,
  createChunk,
  createEnd,
  type PartRow,
  type Run,
  RunStore,
  readChunk,
  sha256,
} from '@cutline/shared/run';
import type { ObjectStore } from '@cutline/shared/stores';

const created = '2026-11-22T20:43:12.000Z';

/** A finished run with these rows, as whoever comes after it finds it. */
export async function createRun(
  store: ObjectStore,
  rows: readonly PartRow[],
  fields: Partial<Run> = {},
): Promise<RunStore> {
  const runStore = new RunStore(store, '', fields.run ?? 'r1');
  const run: Run = {
    format: 2,
    run: 'r1',
    created,
    source: { store: 's3://archive', prefix: '' },
    selection: { keysFrom: null, include: [], exclude: [], limit: null, sample: null },
    model: 'tiny@0123456789ab',
    options: {
      beamSize: 5,
      candidates: 5,
      lengthPenalty: 0.7,
      lengthMax: 20,
      lengthMin: 0,
      noRepeatNgram: 0,
      attention: false,
    },
    sidecars: [],
    batchSize: 64,
    chunkBatches: 1_000_000,
    cutline: '0.1.0',
    ...fields,
  };
  await runStore.createRun(run);
  await runStore.createClaim({
    ...{ format: 3, run: run.run, generation: 0, kind: 'produce', retry: [] },
    ...{ owner: 'a test', made: created },
  });
  const images = rows.map((row) => ({
    key: row.key,
    etag: row.etag,
    bytes: null,
    ...(row.status === 'skipped' && { skipped: row.reason }),
  }));
  await createChunk(runStore, 0, 0, images);
  await createEnd(runStore, 0, { images: images.length, chunks: 1 });
  const parts: { name: string; sha256: string }[] = [];
  for (const { batch } of batchesOf(0, images, run)) {
    const own = rows.slice(batch * run.batchSize, (batch + 1) * run.batchSize);
    await runStore.createPart(batch, '0', own);
    const key = runStore.partKey(batch, '0');
    const { bytes } = await store.get(key);
    parts.push({ name: key.slice(runStore.prefix.length), sha256: sha256(bytes) });
  }
  const manifest = await readChunk(runStore, await runStore.readClaims(), 0);
  const counts = countRows(rows);
  await runStore.createLedger({
    ...{ format: 2, run: run.run, chunk: 0, generation: 0, ...counts, parts, closed: created },
    manifest: { name: manifest.name, sha256: sha256(manifest.bytes) },
  });
  const summary = { format: 2, run: run.run, generation: 0, model: run.model, created } as const;
  await runStore.writeSummary(
    {
      ...{ ...summary, ...counts, chunks: 1, parts: parts.length, finished: created },
      ...{ imagesPerSecond: 1, retried: null },
    },
    undefined,
  );
  return runStore;
}
