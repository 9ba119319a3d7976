import type { Features } from '@cutline/inference';
import type { Metrics } from '@cutline/shared/process';
import { type EncodedImage, jobId } from '@cutline/shared/run';
import type { RunBoard } from '../board/run-board.ts';
import { packFeatures } from '../features/feature-blob.ts';
import type { FeatureStore } from '../features/feature-store.ts';
import { type DecodeJob, inFlight } from '../jobs.ts';
import type { Queues } from '../queue/open-queues.ts';
import type { JobContext } from '../worker/job-context.ts';
import type { World } from '../world.ts';

/**
 * What becomes of a batch that is encoded: it is handed to decoders, or decoded at once
 * (decode-at-once.ts).
 *
 * @param features of its encoded images; undefined where there are none, or where the job names
 *   kept ones that are not these
 */
export type HandOver = (
  job: DecodeJob,
  features: Features | undefined,
  jobContext: JobContext,
) => Promise<void>;

export interface HandOverContext {
  /** Id of the model. */
  model: string;
  features: FeatureStore;
  queues: Pick<Queues, 'decode'>;
  board: RunBoard;
  metrics: Metrics;
  world: World;
  /** Told how many bytes of features are in flight. */
  onStored: (bytesInFlight: number) => void;
}

/** Puts features where decoders find them, unless they are kept, and one job into their queue. */
export function handOverToDecoders(context: HandOverContext): HandOver {
  return async (job, encoded, { wasTaken }) => {
    const { features, queues } = context;
    const decodeJob =
      encoded && job.features === null ? await putInFlight(context, job, encoded) : job;
    // Another try may have got there first, or this one before its worker was thought dead; or an
    // encoder died between the two. Nobody would come for what is not the decode job's, and it
    // would stay until it expires.
    const isNew = await queues.decode.addNew(decodeJob);
    const name = inFlight(decodeJob)?.name;
    if (!isNew && name) await features.remove(name);
    if (isNew && wasTaken) await features.removeAll(`${jobId(job)}.`, { except: name });
    await countEncoded(context, decodeJob);
  };
}

async function putInFlight(
  { model, features, metrics, world, onStored }: HandOverContext,
  job: DecodeJob,
  encoded: Features,
): Promise<DecodeJob> {
  const name = `${jobId(job)}.${world.newId()}`;
  const blob = packFeatures(model, encoded);
  onStored(await metrics.time('store', () => features.put(name, blob)));
  return { ...job, features: { home: features.home, name } };
}

/** Counts what became of the images of a batch, for those who watch. */
export async function countEncoded(
  { board, metrics }: Pick<HandOverContext, 'board' | 'metrics'>,
  { run, batch, attempt, images, deferred }: DecodeJob,
): Promise<void> {
  const count = (status: EncodedImage['status']) =>
    images.filter((image) => image.status === status).length;
  const encoded = count('encoded');
  metrics.images.inc({ stage: 'encode', state: 'encoded' }, encoded);
  metrics.images.inc({ stage: 'encode', state: 'failed' }, count('failed'));
  metrics.images.inc({ stage: 'encode', state: 'deferred' }, deferred.length);
  if (encoded > 0) await board.count(run, `encode:${batch}.${attempt}`, { encoded });
}
