import { availableParallelism } from 'node:os';
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { UserError } from '../errors.ts';
import { parsePlace } from '../stores/location.ts';
import type { StoreConfig } from '../stores/s3/s3-config.ts';
import { closestName } from './closest-name.ts';
import { redactUrl } from './redact-url.ts';
import { isRedisUrl, parseRedisUrl } from './redis-url.ts';
import { describeWholeNumber, parseWholeNumber, type WholeNumberRange } from './whole-number.ts';

/**
 * Every setting that Cutline's programs share, in one table: its flag, its environment variable,
 * its default, what it means and what it may be. A flag wins over the environment, the environment
 * over the default. Programs pick the settings they use by name.
 *
 * S3 access is configured by the AWS SDK's own variables (AWS_ACCESS_KEY_ID, AWS_PROFILE,
 * AWS_REGION, AWS_ENDPOINT_URL_S3, …), so whatever works for the AWS CLI works here.
 */

interface Setting<T = unknown> {
  /** Under which `--help` lists it. */
  group: string;
  flags: string;
  env: string;
  /** What it was called before, which is still read. */
  former?: { flags: string; env: string };
  description: string;
  default?: string;
  /** The default as `--help` shows it, where the value itself says little. */
  defaultShown?: string;
  schema: z.ZodType<T>;
}

const setting = <T>(spec: Setting<T>) => spec;

const wholeNumber = (range: WholeNumberRange) =>
  z.string().transform((text, context) => {
    const value = parseWholeNumber(text, range);
    if (value !== undefined) return value;
    context.addIssue(`expected ${describeWholeNumber(range)}`);
    return z.NEVER;
  });

/** Node.js's timers go no further (24 days): a longer one would go off at once. */
const timerMsMax = 2 ** 31 - 1;
const milliseconds = (min = 1) => wholeNumber({ min, max: timerMsMax });

const oneOf = <const T extends readonly string[]>(...values: T) =>
  z.enum(values, { error: `expected ${values.slice(0, -1).join(', ')} or ${values.at(-1)}` });

const redisUrl = z.string().superRefine((url, context) => {
  try {
    parseRedisUrl(url);
  } catch (error) {
    context.addIssue((error as RangeError).message);
  }
});

/**
 * `redis`, the URL of another Redis, or a location with a slash at its end: what names a home of
 * features in jobs. A folder has a slash in its name, so that a misspelt host is no folder.
 */
const featuresHome = z.string().transform((text, context) => {
  const expected = 'expected redis://host:port, s3://bucket/prefix or a folder such as ./features';
  if (text === 'redis') return text;
  try {
    if (isRedisUrl(text)) {
      parseRedisUrl(text);
      return text;
    }
    if (/[/\\]/.test(text)) {
      const { store, prefix } = parsePlace(text);
      return `${store}/${prefix}`;
    }
  } catch (error) {
    if (error instanceof RangeError) context.addIssue(error.message);
    else context.addIssue(expected);
    return z.NEVER;
  }
  context.addIssue(expected);
  return z.NEVER;
});

const text = z.string().min(1);

const services = 'Services:';
const model = 'Model:';
const fetching = 'Fetching images:';
const limits = 'Limits of an image:';
const jobs = 'Jobs:';
const watching = 'Watching:';

/** In the order of the help. */
const groups = [services, model, jobs, fetching, limits, watching];

export const settings = {
  redis: setting({
    group: services,
    flags: '--redis <url>',
    env: 'REDIS_URL',
    default: 'redis://127.0.0.1:6379',
    description: 'Redis that holds the queues',
    schema: redisUrl,
  }),
  features: setting({
    group: services,
    flags: '--features <url>',
    env: 'CUTLINE_FEATURES',
    former: { flags: '--features-redis <url>', env: 'FEATURES_REDIS_URL' },
    default: 'redis',
    defaultShown: 'that Redis',
    description: 'where features wait for decoders: another Redis, s3://bucket/prefix or a folder',
    schema: featuresHome,
  }),
  model: setting({
    group: model,
    flags: '--model <model>',
    env: 'CUTLINE_MODEL',
    defaultShown: 'the one that ships with Cutline',
    description: 'name or folder of a model',
    schema: text.optional(),
  }),
  backend: setting({
    group: model,
    flags: '--backend <name>',
    env: 'CUTLINE_BACKEND',
    default: 'auto',
    description: 'what computes: auto, onnx, tensorflow or wasm',
    schema: oneOf('auto', 'onnx', 'tensorflow', 'wasm'),
  }),
  device: setting({
    group: model,
    flags: '--device <name>',
    env: 'CUTLINE_DEVICE',
    default: 'auto',
    description: 'where: auto, cpu, or gpu, which refuses to start without one',
    schema: oneOf('auto', 'cpu', 'gpu'),
  }),
  threads: setting({
    group: model,
    flags: '--threads <n>',
    env: 'CUTLINE_THREADS',
    default: String(availableParallelism()),
    defaultShown: 'one a core',
    description: 'cores to compute on',
    schema: wholeNumber({ min: 1, max: 256 }),
  }),
  deviceBatch: setting({
    group: model,
    flags: '--device-batch <n|auto>',
    env: 'CUTLINE_DEVICE_BATCH',
    defaultShown: 'the backend’s own on CPUs, auto on a GPU',
    description: 'images computed at a time; auto doubles it at the start until nothing is gained',
    schema: z
      .union([z.literal('auto'), wholeNumber({ min: 1, max: 1024 })], {
        error: 'expected auto or a whole number from 1 to 1024',
      })
      .optional(),
  }),
  serverUrl: setting({
    group: model,
    flags: '--server-url <url>',
    env: 'CUTLINE_SERVER_URL',
    defaultShown: 'as the model says',
    description: 'where the server is, of a model behind one',
    schema: z.url({ protocol: /^https?$/, error: 'expected http://… or https://…' }).optional(),
  }),
  serverConcurrency: setting({
    group: model,
    flags: '--server-concurrency <n>',
    env: 'CUTLINE_SERVER_CONCURRENCY',
    default: '16',
    description: 'images asked about at once, of a model behind a server',
    schema: wholeNumber({ min: 1, max: 1024 }),
  }),
  serverTimeoutMs: setting({
    group: model,
    flags: '--server-timeout-ms <ms>',
    env: 'CUTLINE_SERVER_TIMEOUT_MS',
    default: '120000',
    description: 'time for one answer, of a model behind a server',
    schema: wholeNumber({ min: 100, max: 300_000 }),
  }),
  httpPort: setting({
    group: watching,
    flags: '--http-port <port>',
    env: 'CUTLINE_HTTP_PORT',
    default: '9464',
    description: 'port of /metrics, /healthz and /readyz; 0 takes a free one',
    schema: wholeNumber({ min: 0, max: 65_535 }),
  }),
  httpHost: setting({
    group: watching,
    flags: '--http-host <address>',
    env: 'CUTLINE_HTTP_HOST',
    default: '0.0.0.0',
    description: 'address to serve them on',
    schema: text,
  }),
  s3PathStyle: setting({
    group: services,
    flags: '--s3-path-style',
    env: 'CUTLINE_S3_PATH_STYLE',
    defaultShown: 'with a custom endpoint',
    description: 'put buckets in the path, not in the host name',
    schema: z.union([z.boolean(), z.stringbool()], { error: 'expected true or false' }).optional(),
  }),
  jobConcurrency: setting({
    group: jobs,
    flags: '--job-concurrency <n>',
    env: 'CUTLINE_JOB_CONCURRENCY',
    defaultShown: '2; of decoders one more than inference threads',
    description: 'batches in hand at once, so that the next is fetched while others compute',
    schema: wholeNumber({ min: 1, max: 64 }).optional(),
  }),
  jobLockMs: setting({
    group: jobs,
    flags: '--job-lock-ms <ms>',
    env: 'CUTLINE_JOB_LOCK_MS',
    default: '30000',
    description: 'after this long without a sign of life, a worker’s batches go to another',
    schema: milliseconds(1000),
  }),
  shutdownMs: setting({
    group: jobs,
    flags: '--shutdown-ms <ms>',
    env: 'CUTLINE_SHUTDOWN_MS',
    default: '25000',
    description: 'time to finish the batches in hand after SIGTERM or SIGINT',
    schema: milliseconds(),
  }),
  exitWhenIdle: setting({
    group: jobs,
    flags: '--exit-when-idle <s>',
    env: 'CUTLINE_EXIT_WHEN_IDLE',
    defaultShown: 'never',
    description: 'seconds without a batch after which a worker ends with status 0',
    schema: wholeNumber({ min: 1, max: Math.floor(timerMsMax / 1000) }).optional(),
  }),
  memoryBytesMax: setting({
    group: jobs,
    flags: '--memory-bytes-max <n>',
    env: 'CUTLINE_MEMORY_BYTES_MAX',
    defaultShown: 'none',
    description: 'resident memory at which a worker finishes its batches and ends, to be restarted',
    schema: wholeNumber({ min: 1 }).optional(),
  }),
  fetchConcurrency: setting({
    group: fetching,
    flags: '--fetch-concurrency <n>',
    env: 'CUTLINE_FETCH_CONCURRENCY',
    default: '16',
    description: 'images fetched and decoded at once, per batch',
    schema: wholeNumber({ min: 1, max: 512 }),
  }),
  fetchAttempts: setting({
    group: fetching,
    flags: '--fetch-attempts <n>',
    env: 'CUTLINE_FETCH_ATTEMPTS',
    default: '4',
    description: 'tries at an image in place before it waits for a later batch',
    schema: wholeNumber({ min: 1, max: 20 }),
  }),
  retryBaseMs: setting({
    group: fetching,
    flags: '--retry-base-ms <ms>',
    env: 'CUTLINE_RETRY_BASE_MS',
    default: '250',
    description: 'first pause between tries; doubles each time, with jitter',
    schema: milliseconds(),
  }),
  remainderDelayMs: setting({
    group: fetching,
    flags: '--remainder-delay-ms <ms>',
    env: 'CUTLINE_REMAINDER_DELAY_MS',
    default: '30000',
    description: 'pause before images whose store was unavailable are tried again; doubles',
    schema: milliseconds(),
  }),
  imageBytesMax: setting({
    group: limits,
    flags: '--image-bytes-max <n>',
    env: 'CUTLINE_IMAGE_BYTES_MAX',
    default: String(100 * 1024 * 1024),
    defaultShown: '100 MB',
    description: 'larger files become failures of class too-large',
    schema: wholeNumber({ min: 1 }),
  }),
  imagePixelsMax: setting({
    group: limits,
    flags: '--image-pixels-max <n>',
    env: 'CUTLINE_IMAGE_PIXELS_MAX',
    default: '200000000',
    defaultShown: '200 million',
    description: 'images of more pixels become failures of class too-large',
    schema: wholeNumber({ min: 1 }),
  }),
  decodeTimeoutMs: setting({
    group: limits,
    flags: '--decode-timeout-ms <ms>',
    env: 'CUTLINE_DECODE_TIMEOUT_MS',
    default: '30000',
    description: 'images that take longer to decode become failures of class timeout',
    schema: milliseconds(1000),
  }),
  featureBytesMax: setting({
    group: jobs,
    flags: '--feature-bytes-max <n>',
    env: 'CUTLINE_FEATURE_BYTES_MAX',
    default: String(1024 * 1024 * 1024),
    defaultShown: '1 GB',
    description: 'bytes of features in flight at which encoders stop taking work',
    schema: wholeNumber({ min: 1 }),
  }),
  featureTtlMs: setting({
    group: jobs,
    flags: '--feature-ttl-ms <ms>',
    env: 'CUTLINE_FEATURE_TTL_MS',
    default: String(6 * 3600 * 1000),
    defaultShown: '6 hours',
    description: 'features wait this long for a decoder, then their batch is encoded again',
    schema: milliseconds(),
  }),
  logLevel: setting({
    group: watching,
    flags: '--log-level <level>',
    env: 'LOG_LEVEL',
    default: 'info',
    description: 'what is logged: trace, debug, info, warn, error or silent',
    schema: oneOf('trace', 'debug', 'info', 'warn', 'error', 'silent'),
  }),
} as const;

export type SettingName = keyof typeof settings;
export type Settings<N extends SettingName> = {
  [K in N]: z.infer<(typeof settings)[K]['schema']>;
};

/** Variables that other parts read by themselves; listed so that a misspelling is noticed. */
const otherVariables = ['CUTLINE_SOURCE', 'CUTLINE_OUTPUT', 'CUTLINE_RUN'];

/** Gives a command the flags of these settings; its help shows their variables and defaults. */
export function addSettings(command: Command, names: readonly SettingName[]): Command {
  const place = (name: SettingName) => groups.indexOf(settings[name].group);
  for (const name of names.toSorted((a, b) => place(a) - place(b))) {
    const spec: Setting = settings[name];
    const shown = spec.defaultShown ?? spec.default;
    const notes = `${shown === undefined ? '' : `default: ${shown}, `}env: ${spec.env}`;
    const option = new Option(spec.flags, `${spec.description} (${notes})`);
    option.attributeName = () => name;
    command.addOption(option.helpGroup(spec.group));
    if (!spec.former) continue;
    const former = new Option(spec.former.flags).hideHelp();
    former.attributeName = () => name;
    command.addOption(former);
  }
  return command;
}

/**
 * The settings' values, parsed.
 * @param flags by setting; what is missing comes from the environment, else from the default.
 * @throws UserError naming the flag and the variable of the first value that is not acceptable.
 */
export function readSettings<N extends SettingName>(
  flags: Record<string, unknown>,
  names: readonly N[],
  environment: NodeJS.ProcessEnv = process.env,
): Settings<N> {
  const result: Record<string, unknown> = {};
  for (const name of names) {
    const spec: Setting = settings[name];
    // An empty text is no value: compose files and scripts pass what is unset on in this form.
    const variables = [spec.env, ...(spec.former ? [spec.former.env] : [])];
    const variable = variables.find((each) => environment[each]);
    const given = flags[name] || (variable && environment[variable]) || undefined;
    const parsed = spec.schema.safeParse(given ?? spec.default);
    if (!parsed.success) {
      const what = parsed.error.issues[0]?.message ?? 'not acceptable';
      const flag = spec.flags.split(' ')[0];
      throw new UserError(`${flag} (or ${spec.env}) is "${redactUrl(String(given))}": ${what}.`);
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
  const meant = closestName(unknown, known);
  throw new UserError(
    `The environment sets ${unknown}, which nothing reads: ` +
      `${meant ? `did you mean ${meant}?` : 'unset it (--help lists the variables there are).'}`,
  );
}
