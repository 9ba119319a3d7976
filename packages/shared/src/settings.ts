import { availableParallelism } from 'node:os';
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { UserError } from './errors.ts';
import type { StoreConfig } from './stores/index.ts';

/**
 * Every setting that Cutline's programs share, in one table: its flag, its environment variable,
 * its default, what it means and what it may be. A flag wins over the environment, the environment
 * over the default. Programs pick the settings they use by name.
 *
 * S3 access is configured by the AWS SDK's own variables (AWS_ACCESS_KEY_ID, AWS_PROFILE,
 * AWS_REGION, AWS_ENDPOINT_URL_S3, …), so whatever works for the AWS CLI works here.
 */

interface Setting<T = unknown> {
  flags: string;
  env: string;
  description: string;
  default?: string | boolean;
  schema: z.ZodType<T>;
}

const setting = <T>(spec: Setting<T>) => spec;

const count = (max: number) => z.coerce.number().int().min(1).max(max);
const milliseconds = z.coerce.number().int().min(1);
const text = z.string().min(1);

export const settings = {
  redis: setting({
    flags: '--redis <url>',
    env: 'REDIS_URL',
    default: 'redis://127.0.0.1:6379',
    description: 'Redis that holds the queues',
    schema: z.url({
      protocol: /^rediss?$/,
      error: 'expected redis://host:port or rediss://host:port',
    }),
  }),
  featuresRedis: setting({
    flags: '--features-redis <url>',
    env: 'FEATURES_REDIS_URL',
    description: 'Redis that holds the features in flight (default: the one of the queues)',
    schema: z
      .url({ protocol: /^rediss?$/, error: 'expected redis://host:port or rediss://host:port' })
      .optional(),
  }),
  model: setting({
    flags: '--model <folder>',
    env: 'CUTLINE_MODEL',
    description: 'model bundle (default: the one that ships with Cutline)',
    schema: text.optional(),
  }),
  backend: setting({
    flags: '--backend <name>',
    env: 'CUTLINE_BACKEND',
    default: 'auto',
    description: 'what computes: auto, onnx, tensorflow or wasm',
    schema: z.enum(['auto', 'onnx', 'tensorflow', 'wasm']),
  }),
  threads: setting({
    flags: '--threads <n>',
    env: 'CUTLINE_THREADS',
    default: String(availableParallelism()),
    description: 'cores to compute on (default: all; onnx and wasm only)',
    schema: count(256),
  }),
  httpPort: setting({
    flags: '--http-port <port>',
    env: 'CUTLINE_HTTP_PORT',
    default: '9464',
    description: 'port of /metrics, /healthz and /readyz; 0 takes a free one',
    schema: z.coerce.number().int().min(0).max(65_535),
  }),
  httpHost: setting({
    flags: '--http-host <address>',
    env: 'CUTLINE_HTTP_HOST',
    default: '0.0.0.0',
    description: 'address to serve them on',
    schema: text,
  }),
  s3PathStyle: setting({
    flags: '--s3-path-style',
    env: 'CUTLINE_S3_PATH_STYLE',
    description: 'put buckets in the path, not the host name (default: on with a custom endpoint)',
    schema: z.union([z.boolean(), z.stringbool()]).optional(),
  }),
  jobConcurrency: setting({
    flags: '--job-concurrency <n>',
    env: 'CUTLINE_JOB_CONCURRENCY',
    default: '2',
    description: 'batches in hand at once; with 2 the next is fetched while this one computes',
    schema: count(64),
  }),
  jobLockMs: setting({
    flags: '--job-lock-ms <ms>',
    env: 'CUTLINE_JOB_LOCK_MS',
    default: '30000',
    description: 'after this long without a sign of life, a worker’s batches go to another',
    schema: milliseconds.min(1000),
  }),
  shutdownMs: setting({
    flags: '--shutdown-ms <ms>',
    env: 'CUTLINE_SHUTDOWN_MS',
    default: '25000',
    description: 'time to finish the batches in hand after SIGTERM or SIGINT',
    schema: milliseconds,
  }),
  fetchConcurrency: setting({
    flags: '--fetch-concurrency <n>',
    env: 'CUTLINE_FETCH_CONCURRENCY',
    default: '16',
    description: 'images fetched and decoded at once, per batch',
    schema: count(512),
  }),
  fetchAttempts: setting({
    flags: '--fetch-attempts <n>',
    env: 'CUTLINE_FETCH_ATTEMPTS',
    default: '4',
    description: 'tries at an image in place before it waits for a later batch',
    schema: count(20),
  }),
  retryBaseMs: setting({
    flags: '--retry-base-ms <ms>',
    env: 'CUTLINE_RETRY_BASE_MS',
    default: '250',
    description: 'first pause between tries; doubles each time, with jitter',
    schema: milliseconds,
  }),
  remainderDelayMs: setting({
    flags: '--remainder-delay-ms <ms>',
    env: 'CUTLINE_REMAINDER_DELAY_MS',
    default: '30000',
    description: 'pause before images whose store was unavailable are tried again; doubles',
    schema: milliseconds,
  }),
  imageBytesMax: setting({
    flags: '--image-bytes-max <n>',
    env: 'CUTLINE_IMAGE_BYTES_MAX',
    default: String(100 * 1024 * 1024),
    description: 'larger files become failures of class too-large',
    schema: z.coerce.number().int().min(1),
  }),
  imagePixelsMax: setting({
    flags: '--image-pixels-max <n>',
    env: 'CUTLINE_IMAGE_PIXELS_MAX',
    default: '200000000',
    description: 'images of more pixels become failures of class too-large',
    schema: z.coerce.number().int().min(1),
  }),
  decodeTimeoutMs: setting({
    flags: '--decode-timeout-ms <ms>',
    env: 'CUTLINE_DECODE_TIMEOUT_MS',
    default: '30000',
    description: 'images that take longer to decode become failures of class timeout',
    schema: milliseconds.min(1000),
  }),
  featureBytesMax: setting({
    flags: '--feature-bytes-max <n>',
    env: 'CUTLINE_FEATURE_BYTES_MAX',
    default: String(1024 * 1024 * 1024),
    description: 'bytes of features in flight at which encoders stop taking work',
    schema: z.coerce.number().int().min(1),
  }),
  featureTtlMs: setting({
    flags: '--feature-ttl-ms <ms>',
    env: 'CUTLINE_FEATURE_TTL_MS',
    default: String(6 * 3600 * 1000),
    description: 'features wait this long for a decoder, then their batch is encoded again',
    schema: milliseconds,
  }),
  logLevel: setting({
    flags: '--log-level <level>',
    env: 'LOG_LEVEL',
    default: 'info',
    description: 'trace, debug, info, warn, error or silent',
    schema: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']),
  }),
} as const;

export type SettingName = keyof typeof settings;
export type Settings<N extends SettingName> = {
  [K in N]: z.infer<(typeof settings)[K]['schema']>;
};

/** Variables that other parts read by themselves; listed so that a misspelling is noticed. */
const otherVariables = ['CUTLINE_SOURCE', 'CUTLINE_OUTPUT', 'CUTLINE_RUN'];

/** Gives a command the flags of these settings, with their variables and defaults in its help. */
export function addSettings(command: Command, names: readonly SettingName[]): Command {
  for (const name of names) {
    const spec: Setting = settings[name];
    const option = new Option(spec.flags, spec.description).env(spec.env);
    option.attributeName = () => name;
    if (spec.default !== undefined) option.default(spec.default);
    command.addOption(option);
  }
  return command;
}

/**
 * The settings' values, parsed.
 * @throws UserError naming the flag and the variable of the first value that is not acceptable.
 */
export function readSettings<N extends SettingName>(
  values: Record<string, unknown>,
  names: readonly N[],
): Settings<N> {
  const result: Record<string, unknown> = {};
  for (const name of names) {
    const spec: Setting = settings[name];
    const parsed = spec.schema.safeParse(values[name]);
    if (!parsed.success) {
      const what = parsed.error.issues[0]?.message ?? 'not acceptable';
      const flag = spec.flags.split(' ')[0];
      throw new UserError(`${flag} (or ${spec.env}) is "${values[name]}": ${what}.`);
    }
    result[name] = parsed.data;
  }
  return result as Settings<N>;
}

/** How stores are reached, as far as the AWS SDK's own variables do not say it. */
export function storeConfig({ s3PathStyle }: Settings<'s3PathStyle'>): StoreConfig {
  return s3PathStyle === undefined ? {} : { pathStyle: s3PathStyle };
}

/** @throws UserError for a CUTLINE_ variable that nothing reads: probably a misspelling. */
export function refuseUnknownVariables(environment: NodeJS.ProcessEnv): void {
  const known = [...Object.values(settings).map((spec) => spec.env), ...otherVariables];
  const unknown = Object.keys(environment).find(
    (name) => name.startsWith('CUTLINE_') && !known.includes(name),
  );
  if (unknown === undefined) return;
  const variables = known.filter((name) => name.startsWith('CUTLINE_')).toSorted();
  throw new UserError(
    `The environment sets ${unknown}, which nothing reads. The variables are ${variables.join(', ')}.`,
  );
}
