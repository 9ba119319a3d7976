import type { Amount, Interval, Plan, Requests, Survey, Trial } from '@cutline/pipeline';
import {
  describeReason,
  formatBytes,
  formatCount,
  formatDollars,
  formatDuration,
  formatQuantity,
} from '../format.ts';
import { formatDeadline } from '../format-deadline.ts';
import { formatFields } from '../format-model.ts';
import { formatInterval } from './format-interval.ts';

type Field = [name: string, text: string];

/** A plan, for a person. @param columns to wrap lines to */
export function formatPlan(plan: Plan, columns = Number.POSITIVE_INFINITY): string {
  const { survey, trial, source, model } = plan;
  const head = `Plan for ${source.store}/${source.prefix}, captioned by ${model}\n\n`;
  const fields = [
    ...surveyFields(survey),
    ...(trial ? trialFields(trial) : []),
    ...(survey.images > 0 ? estimateFields(plan) : []),
  ];
  return head + formatFields(fields, columns);
}

function surveyFields(survey: Survey): Field[] {
  const { images, keys, bytes, unsized, skippedByReason, duplicates } = survey;
  const size = bytes > 0 ? `, ${formatBytes(bytes)}` : '';
  const unknown = unsized > 0 && bytes > 0 ? ` (and ${formatCount(unsized)} of unknown size)` : '';
  const skipped = Object.entries(skippedByReason).map(
    ([reason, n]) => `${describeReason(reason)} ${formatCount(n)}`,
  );
  const archived = amounts(survey.archived, withBytes);
  const classes = amounts(survey.storageClasses);
  const isUsual = Object.keys(survey.storageClasses).join() === 'STANDARD';
  return [
    ['images', `${formatCount(images)} of ${formatQuantity(keys, 'key')}${size}${unknown}`],
    ...(images > 0 ? [['types', amounts(survey.types)] satisfies Field] : []),
    ...(unsized < images ? [['sizes', sizes(survey.sizes)] satisfies Field] : []),
    ...(classes && !isUsual ? [['storage', classes] satisfies Field] : []),
    ...(skipped.length > 0 ? [['skipped', skipped.join(' · ')] satisfies Field] : []),
    ...(archived ? [['to restore', archived] satisfies Field] : []),
    ...(duplicates && duplicates.images > 0
      ? [
          [
            'duplicates',
            `${withBytes(duplicates)} have the ETag and size of another`,
          ] satisfies Field,
        ]
      : []),
  ];
}

const withBytes = ({ images, bytes }: Amount) => `${formatCount(images)} (${formatBytes(bytes)})`;

/** Kinds that are named; the others are one number. */
const kindsMax = 8;

function amounts(
  byKind: Record<string, Amount>,
  show = ({ images }: Amount) => formatCount(images),
): string {
  const kinds = Object.entries(byKind);
  const shown = kinds.slice(0, kindsMax).map(([kind, amount]) => `${kind} ${show(amount)}`);
  const rest = kinds.slice(kindsMax).reduce((sum, [, { images }]) => sum + images, 0);
  return [...shown, ...(rest > 0 ? [`others ${formatCount(rest)}`] : [])].join(' · ');
}

function sizes(classes: Survey['sizes']): string {
  const largest = classes.findLast(({ bytesMax }) => bytesMax !== null)?.bytesMax ?? 0;
  return classes
    .filter(({ images }) => images > 0)
    .map(({ bytesMax, images }) => {
      if (bytesMax === 0) return `empty ${formatCount(images)}`;
      const plain = formatBytes(bytesMax ?? largest).replace('.0', '');
      return `${bytesMax === null ? 'over' : 'to'} ${plain} ${formatCount(images)}`;
    })
    .join(' · ');
}

function trialFields({ images, failed, failedByClass, skipped, seconds }: Trial): Field[] {
  const rate = (interval: Interval) =>
    formatInterval(reciprocal(interval), (n) => n.toFixed(n < 10 ? 2 : 1));
  const classes = Object.entries(failedByClass).map(
    ([name, each]) => `${name} ${formatCount(each?.images ?? 0)}`,
  );
  return [
    ['', ''],
    [
      'tried',
      `${formatQuantity(images, 'image')} on this machine${skipped > 0 ? `; ${formatCount(skipped)} turned out to be no photographs` : ''}`,
    ],
    [
      'refused',
      failed.images === 0
        ? `none of them; of all, less than ${percent(failed.share.high)}`
        : `${formatInterval(failed.share, percent)}: ${classes.join(', ')}`,
    ],
    ...Object.entries(failedByClass).flatMap(([name, each]) =>
      (each?.messages ?? []).map((message): Field => ['', `${name}: ${message}`]),
    ),
    ['images/s', `${rate(seconds.both)} with both stages`],
    ['', `${rate(seconds.encode)} encoding alone, ${rate(seconds.decode)} decoding alone`],
  ];
}

function reciprocal({ expected, low, high }: Interval): Interval {
  const of = (seconds: number) => (seconds > 0 ? 1 / seconds : 0);
  return { expected: of(expected), low: of(high), high: of(low) };
}

const percent = (share: number) => `${(100 * share).toFixed(1)}%`;

function estimateFields({ estimate, workers, deadline, made, prices, survey }: Plan): Field[] {
  const { seconds, workerHours, requests, bytes, cost, failed } = estimate;
  const { source, output } = requests;
  const fields: Field[] = [['', '']];
  const add = (name: string, text: string) => fields.push([name, text]);
  if (seconds && workerHours) {
    add('time', `${formatInterval(seconds, formatDuration)} with ${describeWorkers(workers)}`);
    const hours = formatInterval(workerHours, (n) => n.toFixed(n < 10 ? 2 : 0));
    add('', `${hours} hours of workers`);
    if (deadline !== undefined) {
      const of = { nowMs: Date.parse(made), secondsLeft: seconds.high };
      add('deadline', formatDeadline(deadline, of).replace('at the rate so far', 'begun now,'));
    }
  }
  if (failed && failed.high > 0) {
    add(
      'failures',
      formatInterval(failed, (n) => formatCount(Math.round(n))),
    );
  }
  add('requests', `${formatCount(total(source) + total(output))} in S3`);
  add('', `source: ${describeRequests(source)}`);
  add('', `output: ${describeRequests(output)}`);
  const written = bytes.written ? `, ${formatBytes(bytes.written.expected)} written` : '';
  add('bytes', `${formatBytes(bytes.read.expected)} read${written}`);
  const results = estimate.resultBytes ? ` with ${formatBytes(estimate.resultBytes.expected)}` : '';
  add('results', `${formatQuantity(estimate.parts, 'part')}${results}`);
  add('Redis', `${formatBytes(estimate.redisBytesMax)} at most, where decoders do not keep up`);
  if (cost.items.length + cost.besides.length > 0) {
    add('cost', formatInterval(cost.usd, formatDollars));
    for (const { what, usd } of cost.items) add('', `${what}: ${formatDollars(usd.expected)}`);
    for (const { what, usd, when } of cost.besides) {
      if (usd.expected > 0 || what.startsWith('restoring')) {
        add('', `and ${formatDollars(usd.expected)} for ${what}, if ${when}`);
      }
    }
    add('prices', `as of ${prices.asOf}, ${prices.source}`);
  }
  if (survey.examples.length === 0) return fields;
  return fields;
}

export function describeWorkers(workers: Plan['workers']): string {
  if ('encoders' in workers) {
    return (
      `${formatQuantity(workers.encoders, 'encoder')} and ` +
      `${formatQuantity(workers.decoders, 'decoder')}, each a machine like this one`
    );
  }
  return workers.captioners === 1
    ? 'one machine like this one, which does both'
    : `${workers.captioners} machines like this one, which do both`;
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
