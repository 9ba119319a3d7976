import { UserError } from '@cutline/shared/errors';
import { z } from 'zod';

/** What stores and workers cost, in US dollars: as AWS lists it, and as the user says it is. */

const dollars = z.number().nonnegative().max(1e6);

const requestPrices = {
  /** For 1,000 requests, as all that follow. */
  listPer1000: dollars,
  putPer1000: dollars,
  /** Of GET, HEAD and all others. */
  getPer1000: dollars,
  deletePer1000: dollars,
  /** For 2^30 bytes that leave the region. */
  transferOutPerGb: dollars,
};

/** Reading what is in a storage class, in place of `getPer1000`, and besides it. */
const readingSchema = z.strictObject({ getPer1000: dollars, perGb: dollars });

/** Restoring what is archived. */
const restoringSchema = z.strictObject({ per1000: dollars, perGb: dollars });

const workerSchema = z.strictObject({
  /** Of a machine that does both. */
  captioner: dollars.optional(),
  encoder: dollars.optional(),
  decoder: dollars.optional(),
});

export const pricesSchema = z.strictObject({
  /** Where they are from, and as of when: for whoever reads the plan. */
  source: z.string().max(500),
  asOf: z.iso.date(),
  ...requestPrices,
  /** By storage class. */
  reading: z.record(z.string(), readingSchema),
  restoring: z.record(z.string(), restoringSchema),
  /** For an hour of a worker; without a price, workers are not in the cost. */
  workerHour: workerSchema,
});

export type Prices = z.infer<typeof pricesSchema>;

/**
 * US East (N. Virginia), without what is free of each month, and without discounts for volume.
 * Restoring is in bulk: 5 to 12 hours from GLACIER, 48 from DEEP_ARCHIVE.
 */
export const listPrices: Prices = {
  source: 'https://aws.amazon.com/s3/pricing/ (us-east-1)',
  asOf: '2026-06-18',
  listPer1000: 0.005,
  putPer1000: 0.005,
  getPer1000: 0.0004,
  deletePer1000: 0,
  transferOutPerGb: 0.09,
  reading: {
    STANDARD_IA: { getPer1000: 0.001, perGb: 0.01 },
    ONEZONE_IA: { getPer1000: 0.001, perGb: 0.01 },
    GLACIER_IR: { getPer1000: 0.01, perGb: 0.03 },
  },
  restoring: {
    GLACIER: { per1000: 0, perGb: 0 },
    DEEP_ARCHIVE: { per1000: 0.025, perGb: 0.0025 },
    INTELLIGENT_TIERING: { per1000: 0, perGb: 0 },
  },
  workerHour: {},
};

/** What a file of prices may say: those that are other than listed. */
const givenSchema = pricesSchema.partial().extend({
  reading: z.record(z.string(), readingSchema.partial()).optional(),
  restoring: z.record(z.string(), restoringSchema.partial()).optional(),
});

/**
 * The prices of a file, and for the rest those that AWS lists.
 * @param name of the file, for messages
 * @throws UserError that says what is wrong with it
 */
export function parsePrices(text: string, name: string): Prices {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UserError(`${name}: expected prices as JSON, such as {"putPer1000": 0.005}.`);
  }
  const parsed = givenSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join('.');
    throw new UserError(
      `${name}: ${where ? `${where}: ` : ''}${issue?.message}. Prices are ` +
        `${Object.keys(pricesSchema.shape).join(', ')}.`,
    );
  }
  const { reading = {}, restoring = {}, workerHour, ...given } = parsed.data;
  return {
    ...listPrices,
    source: `${name}, else ${listPrices.source}`,
    ...(given as Partial<Prices>),
    reading: merged(listPrices.reading, reading, { getPer1000: listPrices.getPer1000, perGb: 0 }),
    restoring: merged(listPrices.restoring, restoring, { per1000: 0, perGb: 0 }),
    workerHour: { ...listPrices.workerHour, ...workerHour },
  };
}

function merged<T extends object>(
  listed: Record<string, T>,
  given: Record<string, Partial<Record<keyof T, number | undefined>>>,
  rest: T,
): Record<string, T> {
  const all = { ...listed };
  for (const [name, prices] of Object.entries(given)) {
    all[name] = { ...(Object.hasOwn(listed, name) ? listed[name] : rest), ...prices } as T;
  }
  return all;
}
