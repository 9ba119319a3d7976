import type { Interval, Plan, Requests, Trial } from '@cutline/pipeline';
import { formatBytes, formatCount, formatDuration, formatQuantity } from '../terminal/format.ts';
import { formatDeadline } from '../terminal/format-deadline.ts';
import type { Field } from './format-plan.ts';

/** What was tried, and what follows from it, as fields of a page. */

/** `4 min (3 min to 5 min)`; of what is sure, or looks so, one figure. */
export function formatInterval(
  { expected, low, high }: Interval,
  format: (value: number) => string,
): string {
  const text = format(expected);
  return format(low) === format(high) ? text : `${text} (${format(low)} to ${format(high)})`;
}

export function trialFields(trial: Trial): Field[] {
  const { images, captioned, failed, failedByClass, skipped, seconds } = trial;
  const rate = (of: Interval) =>
    formatInterval(reciprocal(of), (perSecond) => perSecond.toFixed(perSecond < 10 ? 2 : 0));
  const passedOver =
    skipped > 0 ? `; ${formatCount(skipped)} of them turned out to be no photographs` : '';
  const classes = Object.entries(failedByClass);
  return [
    ['tried', `${formatQuantity(images, 'image')}, on this machine${passedOver}`],
    [
      'failed',
      failed.images === 0
        ? `none of them; of all, less than ${formatShare(failed.share.high)}`
        : formatInterval(failed.share, formatShare),
    ],
    ...classes.map(([name, each]): Field => {
      const { images, messages } = each as NonNullable<typeof each>;
      return ['', `${name} ${formatCount(images)}: ${messages.join('; ')}`];
    }),
    ...(captioned === 0
      ? [['images/s', 'there is no telling: none of them got a caption'] as Field]
      : [
          ['images/s', `${rate(seconds.both)} where a machine does both`] as Field,
          [
            '',
            `${rate(seconds.encode)} encoding alone, ${rate(seconds.decode)} decoding alone`,
          ] as Field,
        ]),
  ];
}

function reciprocal({ expected, low, high }: Interval): Interval {
  const of = (seconds: number) => (seconds > 0 ? 1 / seconds : 0);
  return { expected: of(expected), low: of(high), high: of(low) };
}

const formatShare = (share: number) => `${(100 * share).toFixed(1)}%`;

export function estimateFields(plan: Plan): Field[] {
  const { estimate, source, output } = plan;
  const { bytes, parts, resultBytes, files, redisBytesMax, failed } = estimate;
  const fields: Field[] = [];
  const add = (name: string, text: string) => fields.push([name, text]);
  fields.push(...timeFields(plan));
  if (failed && failed.high > 0) {
    add(
      'failures',
      formatInterval(failed, (images) => formatCount(Math.round(images))),
    );
  }
  const requests = [
    ...(isS3(source.store) ? [['source', estimate.requests.source] as const] : []),
    ...(isS3(output) ? [['output', estimate.requests.output] as const] : []),
  ];
  if (requests.length > 0) {
    const all = requests.reduce((sum, [, each]) => sum + total(each), 0);
    add('requests', `${formatCount(all)} to S3`);
    for (const [store, each] of requests) add('', `${store}: ${describeRequests(each)}`);
  }
  const written = bytes.written ? `, ${formatBytes(bytes.written.expected)} written` : '';
  add('bytes', `${formatBytes(bytes.read.expected)} read${written}`);
  const size = resultBytes ? `, ${formatBytes(resultBytes.expected)}` : '';
  const compacted = files > 0 ? `, which become ${formatQuantity(files, 'file')}` : '';
  add('results', `${formatQuantity(parts, 'part')}${size}${compacted}`);
  add('Redis', `${formatBytes(redisBytesMax)} at most, where decoders do not keep up`);
  return [...fields, ...costFields(plan)];
}

export function isS3(store: string | null): boolean {
  return store?.startsWith('s3:') ?? false;
}

function timeFields({ estimate, workers, deadline, made }: Plan): Field[] {
  const { seconds, workerHours } = estimate;
  if (!seconds || !workerHours) return [];
  const fields: Field[] = [
    ['time', `${formatInterval(seconds, formatDuration)} with ${describeWorkers(workers)}`],
  ];
  const isOne = 'captioners' in workers && workers.captioners === 1;
  const worked = formatInterval(workerHours, (hours) => formatDuration(3600 * hours));
  if (!isOne) fields.push(['', `${worked} of all workers together`]);
  if (deadline === undefined) return fields;
  const of = { nowMs: Date.parse(made), secondsLeft: seconds.high };
  const text = formatDeadline(deadline, of).replace(
    'at the rate so far',
    'begun now, at its slowest,',
  );
  return [...fields, ['deadline', text]];
}

function costFields({ estimate: { cost }, prices }: Plan): Field[] {
  const { items, besides, usd } = cost;
  if (items.length + besides.length === 0) return [];
  return [
    ['cost', formatInterval(usd, formatCost)],
    ...items.map((each): Field => ['', `${formatCost(each.usd.expected)} ${each.what}`]),
    ...besides.map(
      (each): Field => ['', `and ${formatCost(each.usd.expected)} ${each.what}, if ${each.when}`],
    ),
    ['prices', `of ${prices.asOf}, ${prices.source}`],
  ];
}

/** In cents: less than one is no reason to look at digits. */
function formatCost(dollars: number): string {
  if (dollars > 0 && dollars < 0.01) return 'under $0.01';
  return dollars.toLocaleString('en-US', { style: 'currency', currency: 'USD' });
}

export function describeWorkers(workers: Plan['workers']): string {
  if ('captioners' in workers) {
    const { captioners } = workers;
    if (captioners === 1) return 'one machine like this, which does both';
    return `${formatCount(captioners)} machines like this, which do both`;
  }
  const encoders = formatQuantity(workers.encoders, 'encoder');
  const decoders = formatQuantity(workers.decoders, 'decoder');
  return `${encoders} and ${decoders}, each a machine like this`;
}

function total(requests: Requests): number {
  return Object.values(requests).reduce((sum, n) => sum + n, 0);
}

function describeRequests(requests: Requests): string {
  return Object.entries(requests)
    .filter(([, n]) => n > 0)
    .map(([kind, n]) => `${formatCount(n)} ${kind.toUpperCase()}`)
    .join(' · ');
}
