import { hostname } from 'node:os';
import { type Metrics, version } from '@cutline/shared/process';
import { signMs, type WorkerRegister, type WorkerSign } from '../board/worker-register.ts';
import type { World } from '../world.ts';

/** What signs of life take from a worker: most of it is what its metrics count anyway. */
export interface SignsContext {
  register: WorkerRegister;
  program: string;
  model: string;
  /** Whether its images end as rows, or go on to a decoder. */
  writesParts: boolean;
  inHand: () => number;
  metrics: Metrics;
  world: World;
}

/** Begins to tell of this worker, every few seconds. @returns what ends it, and strikes it out. */
export function tellSigns(context: SignsContext): () => void {
  const { register, world } = context;
  const id = world.newId();
  const started = new Date(world.now()).toISOString();
  const tell = async () => register.tell(id, await signOf(context, started));
  // A Redis that does not answer is told again, and whoever watches sees the silence.
  const tellAnyway = () => void tell().catch(() => {});
  tellAnyway();
  const timer = setInterval(tellAnyway, signMs);
  return () => {
    clearInterval(timer);
    register.strikeOut(id).catch(() => {}); // nothing waits for a Redis that is gone
  };
}

async function signOf(
  { program, model, writesParts, inHand, metrics }: SignsContext,
  started: string,
): Promise<WorkerSign> {
  const stage = writesParts ? 'decode' : 'encode';
  const [left, backends] = [await metrics.images.get(), await metrics.backendInfo.get()];
  const images = left.values
    .filter(({ labels }) => labels.stage === stage && labels.state !== 'deferred')
    .reduce((sum, { value }) => sum + value, 0);
  const { backend = 'server' } = backends.values[0]?.labels ?? {};
  return {
    ...{ program, host: hostname(), pid: process.pid, version },
    ...{ model, backend: String(backend), started, images, inHand: inHand() },
  };
}
