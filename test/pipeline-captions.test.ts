import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PartRow } from '@cutline/shared/run';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { photographs } from '../scripts/photographs.mjs';
import { type Pipeline, startPipeline } from './support/pipeline.ts';
import { expectToReconcile } from './support/run-results.ts';

/**
 * The second invariant of the project: for the same model, images and options, the pipeline and
 * the one-process path give the same rows. Held with the model that ships, on real photographs.
 */

let pipeline: Pipeline;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-photographs-'));
  pipeline = await startPipeline({ model: 'shipped' });
  for (const { name, path } of photographs()) {
    await symlink(path, join(folder, `${name}.jpg`));
    await pipeline.source.put(`${name}.jpg`, await readFile(path));
  }
  await Promise.all([
    pipeline.startWorker('encoder-worker'),
    pipeline.startWorker('decoder-worker'),
  ]);
}, 120_000);

afterAll(async () => {
  await pipeline?.stop();
  await rm(folder, { recursive: true, force: true });
});

test.each([
  { run: 'defaults', options: [] },
  { run: 'bytes', options: ['--feature-type', 'int8'] },
  { run: 'others', options: ['--beam-size', '3', '--length-penalty', '0.3', '--attention'] },
])(
  'the pipeline gives the captions of one process: $run',
  { timeout: 180_000 },
  async ({ run, options }) => {
    // In other batches than the one process makes, which must not matter.
    const batches = ['--batch-size', '4'];
    await pipeline.succeed('run', 's3://archive', '--run', run, ...batches, ...options);
    const local = await pipeline.succeed('caption', folder, '--json', ...options);

    const results = await pipeline.results(run);
    expectToReconcile(results);
    expect(results.parts).toHaveLength(3);
    const expected = local.stdout.split('\n').map((line): PartRow => JSON.parse(line));
    expect(expected).toHaveLength(photographs().length);
    expect(results.rows.map(withoutEtag)).toEqual(expected.map(withoutEtag));

    const [row] = results.rows;
    expect(row).toMatchObject({ status: 'captioned', key: 'acanthus-mollis.jpg' });
    if (row?.status !== 'captioned') return;
    expect(row.candidates.length).toBe(run === 'others' ? 3 : 5);
    expect(row.attention?.length).toBe(
      run === 'others' ? row.caption.split(' ').length : undefined,
    );
  },
);

/** A folder's ETags are made of size and time, a bucket's of the content. */
function withoutEtag({ etag: _, ...row }: PartRow): Omit<PartRow, 'etag'> {
  return row;
}
