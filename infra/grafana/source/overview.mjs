import { dashboard, graph, row, stat, table } from './panels.mjs';

/** The first page: is all well, and if not, which page next. */
export const overview = dashboard({
  uid: 'cutline',
  title: 'Cutline',
  description: 'Whether all is well: runs, rates, failures, and what stands in the way.',
  panels: [
    stat({
      title: 'Captions a second',
      unit: 'suffix: images/s',
      description:
        'Images that got a caption, of all runs. 0 while a run goes on means that something stands still: the panel "Bottleneck" says which stage.',
      ask: {
        captions:
          'sum(rate(cutline_images_total{stage="decode",state="captioned"}[$__rate_interval]))',
      },
    }),
    stat({
      title: 'Images left',
      unit: 'short',
      description:
        'Images that are listed and have no result yet, of all runs that are not finished. While a run is still being listed, more are to come.',
      ask: { left: 'sum(max by (run) (cutline_run_remaining_images))' },
      link: 'cutline-run',
    }),
    stat({
      title: 'Time left',
      unit: 's',
      description:
        'How long the slowest stage of the slowest run takes for what it has left, at its rate of the last five minutes. It is no promise: a listing that goes on adds to it.',
      ask: { left: 'max(cutline_run_drain_seconds)' },
      link: 'cutline-run',
    }),
    stat({
      title: 'Failure ratio',
      unit: 'percentunit',
      description:
        'Failed images among those that got a result, in the time shown. Above 5% look at "Failures by class": most classes are about the archive, some about its store.',
      ask: {
        failed:
          'sum(increase(cutline_image_failures_total[$__range])) / clamp_min(sum(increase(cutline_image_failures_total[$__range])) + sum(increase(cutline_images_total{stage="decode",state="captioned"}[$__range])), 1)',
      },
      bad: [
        ['orange', 0.02],
        ['red', 0.05],
      ],
    }),
    stat({
      title: 'Redis answers',
      unit: 'bool_on_off',
      description:
        'Whether Redis answers, and whether it takes writes. Off means that everything waits; nothing is lost. The page of queues and Redis says how full it is.',
      ask: {
        answers: 'min(max by (job) (cutline_redis_up))',
        writes: 'min(max by (job) (cutline_redis_writable))',
      },
      link: 'cutline-queues',
    }),
    stat({
      title: 'Alerts firing',
      unit: 'short',
      description:
        'How many of Cutline’s alerts fire now. Each of them names a runbook in docs/runbooks: what you see, why, what to do, how to know that it is over.',
      ask: { firing: 'count(ALERTS{alertname=~"Cutline.+",alertstate="firing"}) or vector(0)' },
      bad: [['red', 1]],
    }),
    graph({
      title: 'Images a second by stage',
      unit: 'suffix: images/s',
      description:
        'What leaves each stage. In a run under way the lines of encode and decode lie on each other; a gap that lasts is a queue that grows.',
      ask: {
        '{{stage}}':
          'sum by (stage) (rate(cutline_images_total{state!="deferred"}[$__rate_interval]))',
      },
    }),
    graph({
      title: 'Failures by class',
      unit: 'suffix: images/s',
      description:
        'corrupt and unsupported are what the archive holds; unavailable and timeout are its store; worker-lost and internal are ours. A class that jumps is an alert.',
      ask: { '{{class}}': 'sum by (class) (rate(cutline_image_failures_total[$__rate_interval]))' },
    }),
    graph({
      title: 'Bottleneck',
      unit: 'bool_on_off',
      description:
        'The stage that the others of a run wait for. encode or decode: enlarge that pool. list: the store lists no faster, or the window of the run is too small.',
      ask: { '{{run}} {{stage}}': 'max by (run, stage) (cutline_run_bottleneck)' },
      link: 'cutline-run',
    }),
    row('Processes'),
    graph({
      title: 'Processes that answer',
      unit: 'short',
      description:
        'Targets of Prometheus by what they are. Fewer than were started: some are starting, hang or are gone; their batches go to others when their locks expire.',
      ask: { '{{job}}': 'sum by (job) (up{job!="prometheus"})' },
    }),
    graph({
      title: 'Memory',
      unit: 'bytes',
      description:
        'Resident memory of the largest process of each kind. Workers end in good order at --memory-bytes-max and are started again: a saw-tooth is no fault, a kill is.',
      ask: { '{{job}}': 'max by (job) (process_resident_memory_bytes)' },
    }),
    graph({
      title: 'Event-loop lag, p99',
      unit: 's',
      description:
        'How late timers fire in the worst process of each kind. Locks of jobs are renewed on the event loop: seconds of lag cost work that is done twice.',
      ask: { '{{job}}': 'max by (job) (nodejs_eventloop_lag_p99_seconds)' },
      bad: [['red', 1]],
    }),
    graph({
      title: 'CPU',
      unit: 'suffix: cores',
      description:
        'Cores in use, by kind of process. Workers on CPUs should be near what they were given while their queue is full; a producer near one core is at its limit.',
      ask: { '{{job}}': 'sum by (job) (rate(process_cpu_seconds_total[$__rate_interval]))' },
    }),
    table({
      title: 'Versions',
      unit: 'short',
      description:
        'How many processes run which version of Cutline. Two versions for longer than a rolling upgrade takes: some were forgotten, and read what others write.',
      ask: { version: 'count by (job, version) (cutline_build_info)' },
    }),
  ],
});
