import { expect, test } from 'vitest';
import { startPipeline, untilDone } from './support/pipeline.ts';
import { stopProcess } from './support/processes.ts';
import { sampleImages } from './support/sample-images.ts';
import { startTraceReceiver } from './support/trace-receiver.ts';

/** A batch is one trace through three programs, and what they log of it says which. */

test('a batch is one trace, from the listing to its part', { timeout: 180_000 }, async () => {
  const receiver = await startTraceReceiver();
  const pipeline = await startPipeline({
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    },
  });
  try {
    await pipeline.upload(await sampleImages(3));
    const workers = await Promise.all(
      (['encoder-worker', 'decoder-worker'] as const).map((name) => pipeline.startWorker(name)),
    );
    await untilDone(await pipeline.startProducer(['s3://archive/', '--run', 'traced']));
    for (const worker of workers) await stopProcess(worker); // what was not sent yet is sent

    const [root] = receiver.spans.filter(({ name }) => name === 'produce batch');
    const spans = receiver.spans.filter(({ traceId }) => traceId === root?.traceId);
    const tree = (parentSpanId: string | undefined): object =>
      Object.fromEntries(
        spans
          .filter((span) => (span.parentSpanId ?? '') === (parentSpanId ?? ''))
          .toSorted((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano)))
          .map(({ service, name, spanId }) => [
            `${service.replace('cutline-', '')}: ${name.replace(/-[0-9a-f]{12}$/, '')}`,
            tree(spanId),
          ]),
      );
    expect(tree(undefined)).toEqual({
      'producer: produce batch': {
        'producer: list': {},
        'producer: enqueue cutline-encode': {
          'encoder-worker: wait to encode': {},
          'encoder-worker: encode batch': {
            'encoder-worker: fetch': {},
            'encoder-worker: preprocess': {},
            'encoder-worker: encode': {},
            'encoder-worker: store': {},
            'encoder-worker: enqueue cutline-decode': {
              'decoder-worker: wait to decode': {},
              'decoder-worker: decode batch': {
                'decoder-worker: load': {},
                'decoder-worker: decode': {},
                'decoder-worker: write': {},
              },
            },
          },
        },
      },
    });
    expect(spans.filter(({ name }) => name === 'fetch')).toHaveLength(3);
    for (const [n, worker] of workers.entries()) {
      const done = worker.stderr.find((line) =>
        line.includes(n === 0 ? 'encode done' : 'decode done'),
      );
      expect(JSON.parse(done ?? '{}')).toMatchObject({ trace_id: root?.traceId });
    }
  } finally {
    await pipeline.stop();
    await receiver.stop();
  }
});
