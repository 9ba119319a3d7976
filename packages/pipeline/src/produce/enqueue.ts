import type { ImageRef, Run } from '@cutline/shared/run';
import type { Location } from '@cutline/shared/stores';
import type { EncodeJob } from '../jobs.ts';
import { patiently } from '../patience.ts';
import { planKept } from './kept-source.ts';
import type { PassContext } from './make-pass.ts';

/** Images of a batch that have no row yet, and are in no job. */
export interface PlannedBatch {
  batch: number;
  images: ImageRef[];
}

/**
 * Enqueues a batch: to be encoded; or, of a run that decodes what another kept, to be decoded at
 * once, which then counts as encoded.
 */
export async function enqueue(context: PassContext, planned: PlannedBatch): Promise<void> {
  const { metrics, manifest, claimed } = context;
  const { tracing } = metrics;
  const { run, chunkBatches } = claimed.state.run;
  const attributes = { 'cutline.run': run, 'cutline.batch': planned.batch };
  // The trace of the batch begins here; the listing, which it has in common with others, is told in each.
  await tracing.span('produce batch', { parent: 'none', attributes }, () => {
    const listed = manifest.listed.get(Math.floor(planned.batch / chunkBatches));
    if (listed) tracing.note('list', listed);
    return add(context, planned);
  });
}

async function add(context: PassContext, planned: PlannedBatch): Promise<void> {
  const { queues, board, kept, claimed } = context;
  const job = toJob(context, planned);
  if (!kept) {
    await claimed.lock.held();
    await patiently('the encode queue', () => queues.encode.add(job), context);
    return;
  }
  const { images: _, ...batch } = job;
  const found = await planKept(kept, planned.batch, planned.images);
  const decodeJob = { ...batch, ...found, source: null, deferred: [] };
  await claimed.lock.held();
  await patiently('the decode queue', () => queues.decode.add(decodeJob), context);
  const encoded = found.images.filter(({ status }) => status === 'encoded').length;
  const step = `encode:${job.batch}.${job.attempt}`;
  if (encoded === 0) return;
  await patiently('progress', () => board.count(job.run, step, { encoded }), context);
}

function toJob({ claimed, output }: PassContext, { batch, images }: PlannedBatch): EncodeJob {
  const { run } = claimed.state;
  return {
    run: run.run,
    batch,
    attempt: String(claimed.claim.generation),
    source: run.source.store,
    output,
    model: run.model,
    options: run.options,
    featureType: run.featureType ?? 'float16',
    sidecars: run.sidecars,
    ...(run.sidecarRules && { sidecarRules: run.sidecarRules }),
    ...(run.priority && { priority: run.priority }),
    keep: keepOf(run, output),
    images,
  };
}

/** Where features of the run are kept, as jobs say it. */
function keepOf({ keepFeatures }: Run, output: Location): EncodeJob['keep'] {
  if (!keepFeatures) return null;
  const { location, encoder } = keepFeatures;
  return { ...(location ?? output), encoder };
}
