import {
  type DecodeJob,
  type EncodeJob,
  halve,
  MemoryQueueServer,
  traceJob,
  traceQueues,
} from '@cutline/pipeline';
import { Metrics, noTracing, type Tracing } from '@cutline/shared/process';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { expect, test } from 'vitest';
import { tracingTo } from '../../shared/dist/process/otel-tracing.js';
import { encodeJob } from './support/example-jobs.ts';
import { ManualWorld } from './support/manual-world.ts';

/** How traces go from job to job; through real processes: test/traces.test.ts. */

function start() {
  const exporter = new InMemorySpanExporter();
  const tracing = tracingTo(new SimpleSpanProcessor(exporter), 'test');
  const world = new ManualWorld();
  const server = new MemoryQueueServer();
  const open = { model: 'tiny@0123456789ab', lockMs: 30_000, world };
  const queues = {
    encode: server.open<EncodeJob>({ ...open, stage: 'encode' }),
    decode: server.open<DecodeJob>({ ...open, stage: 'decode' }),
  };
  return { exporter, tracing, world, queues };
}

const named = ({ exporter }: ReturnType<typeof start>, name: string) => {
  const span = exporter.getFinishedSpans().find((each) => each.name.startsWith(name));
  if (!span) throw new Error(`no span ${name}`);
  return span;
};

test('who takes a job goes on with its trace; a half has one of its own, with a link', async () => {
  const context = start();
  const { tracing, world, queues } = context;
  await tracing.span('produce', { parent: 'none' }, () =>
    traceQueues(queues, 'producer', tracing).encode.add(encodeJob()),
  );
  const worker = traceQueues(queues, 'encode', tracing);
  const take = async (work: (job: EncodeJob) => Promise<void>) => {
    const taken = (await worker.encode.take(1))!;
    const job = taken.data as EncodeJob;
    const metrics = new Metrics({ tracing });
    await traceJob(taken, job, { stage: 'encode', metrics, world }, () => work(job));
    await worker.encode.finish(taken);
    return job;
  };
  await take(async (job) => {
    for (const half of halve(job)) await worker.encode.add(half);
  });
  const whole = named(context, 'encode batch');
  expect(whole.spanContext().traceId).toBe(named(context, 'produce').spanContext().traceId);
  expect(whole.parentSpanContext?.spanId).toBe(named(context, 'enqueue').spanContext().spanId);
  context.exporter.reset();

  const half = await take(async () => {});
  expect(half.trace?.is).toBe('link');
  const ofHalf = named(context, 'encode batch');
  expect(ofHalf.parentSpanContext).toBeUndefined();
  expect(ofHalf.links.map((link) => link.context.traceId)).toEqual([whole.spanContext().traceId]);
});

test('what a span throws is noted, and thrown', async () => {
  const context = start();
  const fails = context.tracing.span('fails', {}, async () => {
    throw new Error('out of paper');
  });
  await expect(fails).rejects.toThrow('out of paper');
  expect(named(context, 'fails').status.message).toBe('out of paper');
});

test('without an endpoint, jobs and logs say nothing of traces', async () => {
  const { queues } = start();
  const off: Tracing = noTracing;
  expect(traceQueues(queues, 'producer', off)).toBe(queues);
  expect(await off.span('nothing', {}, async () => 1)).toBe(1);
  expect([off.current(), off.logFields()]).toEqual([undefined, {}]);
});
