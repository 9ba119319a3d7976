import { z } from 'zod';
import type { Requests } from './count-requests.ts';
import { exactly, type Interval, intervalSchema, scaled } from './interval.ts';
import type { Prices } from './prices.ts';
import type { Survey } from './survey-listing.ts';
import type { Trial } from './trial.ts';

/** What a run will cost, in US dollars, at given prices: what it costs in any case, and what may. */

const itemSchema = z.strictObject({
  what: z.string(),
  usd: intervalSchema,
});

export type CostItem = z.infer<typeof itemSchema>;

export const costSchema = z.strictObject({
  items: z.array(itemSchema),
  /** Their sum. */
  usd: intervalSchema,
  /** What is not in the sum: it depends. */
  besides: z.array(itemSchema.extend({ when: z.string() })),
});

export type Cost = z.infer<typeof costSchema>;

export interface CostFigures {
  requests: Record<'source' | 'output', Requests>;
  /** Bytes of images. */
  read: Interval;
  workerHours: Partial<Record<'captioner' | 'encoder' | 'decoder', Interval>>;
  survey: Survey;
  /** Images that a model is asked about. */
  captioned: number;
  trial: Trial | undefined;
}

/** As S3 bills it. */
const gigabyte = 2 ** 30;

export function costOf(
  { requests, read, workerHours, survey, captioned, trial }: CostFigures,
  prices: Prices,
  isS3: Record<'source' | 'output', boolean>,
): Cost {
  const items: CostItem[] = [];
  const besides: Cost['besides'] = [];
  const add = (what: string, usd: Interval) => items.push({ what, usd });
  if (isS3.source) {
    add(
      'requests to the source',
      exactly(ofRequests(requests.source, prices) + ofClasses(survey, prices)),
    );
    const reading = ofReading(survey, prices);
    if (reading > 0) add('reading from colder storage classes', exactly(reading));
    besides.push({
      what: 'images transferred out',
      when: 'workers are in another region, or elsewhere',
      usd: scaled(read, prices.transferOutPerGb / gigabyte),
    });
  }
  if (isS3.output) add('requests to the output', exactly(ofRequests(requests.output, prices)));
  for (const [kind, hours] of Object.entries(workerHours)) {
    const price = prices.workerHour[kind as keyof CostFigures['workerHours']];
    if (price !== undefined) add(`${kind} hours`, scaled(hours, price));
  }
  const answers = trial?.usage?.costUsd;
  if (answers) add('answers of the model’s server', scaled(answers, captioned));
  for (const [storageClass, { images, bytes }] of Object.entries(survey.archived)) {
    const price = ownOf(prices.restoring, storageClass);
    if (!price) continue;
    const usd = (images * price.per1000) / 1000 + (bytes * price.perGb) / gigabyte;
    const what = `restoring what is in ${storageClass}`;
    besides.push({ what, when: 'it is restored, in bulk', usd: exactly(usd) });
  }
  return { items, usd: sumOf(items), besides };
}

function ofRequests({ list, get, head, put, delete: deletes }: Requests, prices: Prices): number {
  const per1000 =
    list * prices.listPer1000 +
    (get + head) * prices.getPer1000 +
    put * prices.putPer1000 +
    deletes * prices.deletePer1000;
  return per1000 / 1000;
}

/** What GETs cost more, or less, of images in other classes than the usual one. */
function ofClasses({ storageClasses }: Survey, { reading, getPer1000 }: Prices): number {
  return sum(storageClasses, ({ images }, name) => {
    const price = ownOf(reading, name)?.getPer1000 ?? getPer1000;
    return (images * (price - getPer1000)) / 1000;
  });
}

function ofReading({ storageClasses }: Survey, { reading }: Prices): number {
  return sum(
    storageClasses,
    ({ bytes }, name) => (bytes * (ownOf(reading, name)?.perGb ?? 0)) / gigabyte,
  );
}

/** Names of classes are as stores say them. */
function ownOf<T>(prices: Record<string, T>, name: string): T | undefined {
  return Object.hasOwn(prices, name) ? prices[name] : undefined;
}

function sum<T>(amounts: Record<string, T>, of: (amount: T, name: string) => number): number {
  return Object.entries(amounts).reduce((all, [name, amount]) => all + of(amount, name), 0);
}

function sumOf(items: readonly CostItem[]): Interval {
  const of = (bound: keyof Interval) => items.reduce((all, { usd }) => all + usd[bound], 0);
  return { expected: of('expected'), low: of('low'), high: of('high') };
}
