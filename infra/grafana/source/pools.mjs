import { dashboard, graph, row, table, variable } from './panels.mjs';

const inPool = 'job=~"$pool"';

/** What both pools have in common. */
function pool({ stage, uid, title, description, steps, more }) {
  return dashboard({
    uid,
    title,
    description,
    variables: [
      variable('pool', 'Pool', `label_values(cutline_inference_threads{stage="${stage}"}, job)`),
    ],
    panels: [
      graph({
        title: 'Images a second',
        unit: 'suffix: images/s',
        description:
          'What the workers of the pool finish, by outcome. deferred images come again later: their store or server did not answer, and nothing is lost.',
        ask: {
          '{{state}}': `sum by (state) (rate(cutline_images_total{stage="${stage}",${inPool}}[$__rate_interval]))`,
        },
      }),
      graph({
        title: 'Busy',
        unit: 'percentunit',
        description:
          'Share of the time in which inference threads compute. Near 100% with a full queue: enlarge the pool. Far below with a full queue: look at the steps, below.',
        ask: {
          busy: `sum(rate(cutline_inference_busy_seconds_total{stage="${stage}",${inPool}}[$__rate_interval])) / clamp_min(sum(cutline_inference_threads{stage="${stage}",${inPool}}), 1)`,
        },
      }),
      graph({
        title: 'Workers',
        unit: 'short',
        description:
          'Workers that answer Prometheus. Fewer than were started: some are starting, hang, or are gone, and their batches go to others when their locks expire.',
        ask: { '{{job}}': `sum by (job) (up{${inPool}})` },
      }),
      graph({
        title: 'Duration of a step, p50',
        unit: 's',
        description:
          'Half of the steps take no longer. fetch, preprocess and ask are of an image, the others of a batch. The one that grew is where to look.',
        ask: {
          '{{stage}}': `histogram_quantile(0.5, sum by (le, stage) (rate(cutline_step_seconds_bucket{stage=~"${steps}",${inPool}}[$__rate_interval])))`,
        },
      }),
      graph({
        title: 'Duration of a step, p95',
        unit: 's',
        description:
          'One step in twenty takes longer. Far above the median: some images or some requests to the store are much slower than the rest, or the machine is overloaded.',
        ask: {
          '{{stage}}': `histogram_quantile(0.95, sum by (le, stage) (rate(cutline_step_seconds_bucket{stage=~"${steps}",${inPool}}[$__rate_interval])))`,
        },
      }),
      graph({
        title: 'Steps under way',
        unit: 'short',
        description:
          'How many of each step are under way at a time, on average. Where workers are not busy computing, this says what they wait for instead.',
        ask: {
          '{{stage}}': `sum by (stage) (rate(cutline_step_seconds_sum{stage=~"${steps}",${inPool}}[$__rate_interval]))`,
        },
      }),
      graph({
        title: 'Images in a batch',
        unit: 'short',
        description:
          'Images in the jobs that the pool takes. Far below the run’s batch size: remainders and halves of batches, whose stores or workers had trouble.',
        ask: {
          images: `sum(rate(cutline_batch_images_sum{queue="${stage}",${inPool}}[$__rate_interval])) / clamp_min(sum(rate(cutline_batch_images_count{queue="${stage}",${inPool}}[$__rate_interval])), 0.001)`,
        },
      }),
      graph({
        title: 'Divided batches',
        unit: 'ops',
        description:
          'Batches that were halved because workers died or failed on them. It ends by itself once the image that does it stands alone; see the log of the workers.',
        ask: {
          divided: `sum(rate(cutline_batch_splits_total{stage="${stage}",${inPool}}[$__rate_interval]))`,
        },
      }),
      table({
        title: 'Backends and models',
        unit: 'short',
        description:
          'What computes, and which model is loaded, by worker. A backend that was not meant (wasm for onnx) is several times slower; the log says why it was chosen.',
        ask: {
          workers: `count by (job, backend, model) (cutline_backend_info{stage="${stage}",${inPool}})`,
        },
      }),
      ...more,
    ],
  });
}

export const encoders = pool({
  stage: 'encode',
  uid: 'cutline-encoders',
  title: 'Cutline: Encoder pool',
  description:
    'Workers that turn images into features: their rate, what they wait for, their model.',
  steps: 'list|fetch|preprocess|ask|encode|store',
  more: [
    row('Stores and servers'),
    graph({
      title: 'Retries',
      unit: 'ops',
      description:
        'Operations on one image that were tried again after a transient fault of its store (fetch) or its server (ask). More than one in a hundred: it is overloaded.',
      ask: {
        '{{stage}}': `sum by (stage) (rate(cutline_retries_total{${inPool}}[$__rate_interval]))`,
      },
    }),
    graph({
      title: 'Requests to the server, by outcome',
      unit: 'reqps',
      description:
        'Of models behind servers. throttled: it has too much to do, ask less (--server-concurrency); unavailable: it is down or too slow; misconfigured: see the log.',
      ask: {
        '{{outcome}}': `sum by (outcome) (rate(cutline_server_requests_total{${inPool}}[$__rate_interval]))`,
      },
    }),
    graph({
      title: 'Tokens a second',
      unit: 'short',
      description:
        'Tokens that the server read and wrote. Completion tokens that rise while images a second stay the same are captions that become longer.',
      ask: {
        '{{kind}}': `sum by (kind) (rate(cutline_server_tokens_total{${inPool}}[$__rate_interval]))`,
      },
    }),
    graph({
      title: 'Cost of an hour',
      unit: 'currencyUSD',
      description:
        'What the answers of a server cost at this rate, by the price that was given with the model; 0 where none was given. It counts what was paid for in vain, too.',
      ask: {
        cost: `sum(rate(cutline_server_cost_dollars_total{${inPool}}[$__rate_interval])) * 3600`,
      },
    }),
  ],
});

export const decoders = pool({
  stage: 'decode',
  uid: 'cutline-decoders',
  title: 'Cutline: Decoder pool',
  description:
    'Workers that turn features into captions: their rate, what they wait for, their model.',
  steps: 'load|decode|write',
  more: [
    graph({
      title: 'Batches encoded again',
      unit: 'ops',
      description:
        'Batches whose features were missing or damaged. Each costs its encoding a second time: features expire too soon (--feature-ttl-ms), or their home loses them.',
      ask: { again: `sum(rate(cutline_features_lost_total{${inPool}}[$__rate_interval]))` },
    }),
  ],
});
