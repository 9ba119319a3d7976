import { dashboard, graph, row, stat, variable } from './panels.mjs';

const ofModel = '{model=~"$model"}';

/** What joins the pools: queues of each model, features in flight, Redis. */
export const queues = dashboard({
  uid: 'cutline-queues',
  title: 'Cutline: Queues and Redis',
  description: 'Queues of each model, features in flight, and the Redis that holds them.',
  variables: [variable('model', 'Model', 'label_values(cutline_run_info, model)')],
  panels: [
    graph({
      title: 'Jobs by state',
      unit: 'short',
      description:
        'waiting is bounded by the windows of the runs, active by what workers have in hand. delayed are batches whose store did not answer; failed are jobs that nobody understood.',
      ask: { '{{queue}} {{state}}': `max by (queue, state) (cutline_queue_jobs${ofModel})` },
    }),
    graph({
      title: 'Age of the oldest waiting job',
      unit: 's',
      description:
        'How long the job has waited whose turn is next. It grows with the window when workers are few; without any end, when there are none for that model.',
      ask: { '{{queue}}': `max by (queue) (cutline_queue_oldest_job_seconds${ofModel})` },
    }),
    graph({
      title: 'Workers connected',
      unit: 'short',
      description:
        'Workers that are connected to take jobs of these models. 0 with jobs waiting: those that run are of another model, or cannot reach Redis.',
      ask: { '{{queue}}': `max by (queue) (cutline_queue_workers${ofModel})` },
    }),
    graph({
      title: 'Wait in the queue, p50 and p95',
      unit: 's',
      description:
        'Time between a job being enqueued and taken. Of decode jobs it should be seconds: what waits there holds features, and features take memory.',
      ask: {
        '{{queue}} p50':
          'histogram_quantile(0.5, sum by (le, queue) (rate(cutline_queue_wait_seconds_bucket[$__rate_interval])))',
        '{{queue}} p95':
          'histogram_quantile(0.95, sum by (le, queue) (rate(cutline_queue_wait_seconds_bucket[$__rate_interval])))',
      },
    }),
    graph({
      title: 'Feature bytes in flight',
      unit: 'bytes',
      description:
        'Features between encoders and decoders, and the budget at which encoders stop taking jobs. At the budget for long: decoders are the bottleneck.',
      ask: {
        'in flight': 'max(cutline_feature_bytes)',
        budget: 'max(cutline_feature_bytes_budget)',
      },
    }),
    row('Redis'),
    stat({
      title: 'Answers',
      unit: 'bool_on_off',
      description:
        'Whether Redis answers those who export its figures. Off: all processes wait, for as long as it lasts, and nothing is lost. What else is shown here is absent then.',
      ask: { answers: 'max(cutline_redis_up)' },
    }),
    stat({
      title: 'Takes writes',
      unit: 'bool_on_off',
      description:
        'Off while it answers: it is full (noeviction), or a replica since a failover. Producers and workers wait until it takes writes again.',
      ask: { writes: 'max(cutline_redis_writable)' },
    }),
    stat({
      title: 'Since contact',
      unit: 's',
      description:
        'Time since Redis last answered whoever exports its figures. Seconds are usual; more than that is the length of its outage so far.',
      ask: { since: 'time() - max(cutline_redis_last_contact_timestamp_seconds)' },
      bad: [['red', 30]],
    }),
    stat({
      title: 'Memory in use',
      unit: 'percentunit',
      description:
        'Share of maxmemory; empty where there is no limit. Encoders hold back at 80%; at 100% Redis refuses writes and everything waits.',
      ask: { used: 'max(cutline_redis_memory_bytes) / max(cutline_redis_memory_limit_bytes)' },
      bad: [
        ['orange', 0.8],
        ['red', 0.9],
      ],
    }),
    graph({
      title: 'Redis memory',
      unit: 'bytes',
      description:
        'used_memory, and maxmemory where there is one; of a cluster, its fullest master. What grows without features growing is jobs and finished jobs that are kept.',
      ask: {
        used: 'max(cutline_redis_memory_bytes)',
        limit: 'max(cutline_redis_memory_limit_bytes)',
      },
    }),
  ],
});
