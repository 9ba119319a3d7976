import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exampleRun } from '../../shared/test/support/example-run.ts';
import { DrivenRun } from './support/driven-run.ts';

/** Somebody else's program reads the results of a run as they are, by what docs/FORMATS.md says. */

const run = { ...exampleRun, batchSize: 16, chunkBatches: 16 };
const images = 600;

let folder: string;
let duck: DuckDBInstance;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-duckdb-'));
  const driven = new DrivenRun(run, images);
  driven.usageOf = (image) => ({ promptTokens: image, completionTokens: 7, seconds: 0.125 });
  await driven.drive({ begin: run });
  driven.outcomeOf = (image) => (image < 300 ? undefined : 'corrupt');
  await driven.drive({ resume: run.run, retry: ['not-found'] });
  // What a producer left that was killed while it compacted: no ledger names it.
  const { bytes } = await driven.captions.get(`${driven.runStore.prefix}results/000001.1.parquet`);
  await driven.captions.put(`${driven.runStore.prefix}results/000001.2.parquet`, bytes);
  for await (const { key } of driven.captions.list(driven.runStore.prefix)) {
    const file = join(folder, key.slice(driven.runStore.prefix.length));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, (await driven.captions.get(key)).bytes);
  }
  duck = await DuckDBInstance.create();
});
afterAll(async () => {
  duck?.closeSync();
  await rm(folder, { recursive: true });
});

/** @returns the rows of the last statement */
async function query(sql: string): Promise<unknown[][]> {
  const connection = await duck.connect();
  try {
    await connection.run(`SET file_search_path = '${folder}'`);
    let rows: unknown[][] = [];
    for (const statement of sql.split(/;\s*(?:\n|$)/).filter((each) => each.trim() !== '')) {
      rows = (await connection.runAndReadAll(statement)).getRowsJson();
    }
    return rows;
  } finally {
    connection.closeSync();
  }
}

test('by the ledgers, each image is there once', async () => {
  const formats = await readFile(
    fileURLToPath(new URL('../../../docs/FORMATS.md', import.meta.url)),
    'utf8',
  );
  const sql = /```sql\n([\s\S]*?)```/.exec(formats)?.[1] ?? '';
  expect(await query(`${sql.replace(/;\s*$/, '')} ORDER BY status`)).toEqual([
    ['captioned', '594'],
    ['failed', '6'],
  ]);
});

test('columns are of the types that they should be', async () => {
  const described = await query("DESCRIBE FROM 'results/000000.1.parquet'");
  const types = Object.fromEntries(described.map(([name, type]) => [name, type]));
  expect(types).toMatchObject({
    ...{ key: 'VARCHAR', status: 'VARCHAR', caption: 'VARCHAR', score: 'DOUBLE' },
    ...{ width: 'INTEGER', keywords: 'VARCHAR[]', promptTokens: 'INTEGER', json: 'VARCHAR' },
    candidates: 'STRUCT(caption VARCHAR, logProb DOUBLE, score DOUBLE)[]',
  });
});

test('rows and lists are what they were, and statistics are there', async () => {
  const file = "'results/000000.1.parquet'";
  expect(
    await query(
      `SELECT key, caption, attempt, promptTokens, candidates[1].caption FROM ${file}
       WHERE promptTokens IN (1, 50)`,
    ),
  ).toEqual([
    ['000001.jpg', 'one of 1', '0', 1, 'one of 1'],
    ['000050.jpg', 'one of 2', '1', 50, 'one of 2'],
  ]);
  const statistics = await query(
    `SELECT stats_min_value, stats_max_value, compression FROM parquet_metadata(${file})
     WHERE path_in_schema = 'key'`,
  );
  expect(statistics).toEqual([['000000.jpg', '000255.jpg', 'ZSTD']]);
});
