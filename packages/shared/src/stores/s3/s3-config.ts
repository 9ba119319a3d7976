import { z } from 'zod';
import { UserError } from '../../errors.ts';

/** How S3 is reached. What is left out comes from the environment, as the AWS SDK reads it. */
export const storeConfigSchema = z.strictObject({
  /** Default: AWS_ENDPOINT_URL_S3, else AWS_ENDPOINT_URL, else Amazon's. */
  endpoint: z
    .url({ protocol: /^https?$/, error: 'expected http://host:port or https://…' })
    // Endpoints are shown in messages, and the SDK would not use what else is in them.
    .refine((text) => !URL.canParse(text) || isBare(new URL(text)), {
      error:
        'expected http://host:port alone: user and password belong in AWS_ACCESS_KEY_ID and ' +
        'AWS_SECRET_ACCESS_KEY',
    })
    .optional(),
  /** Default: AWS_REGION, AWS_DEFAULT_REGION, the profile's; us-east-1 where an endpoint is set. */
  region: z.string().min(1).optional(),
  /** `endpoint/bucket/key` rather than `bucket.endpoint/key`. Default: where an endpoint is set. */
  pathStyle: z.boolean().optional(),
  /** Default: the SDK's chain: environment, profile, SSO, web identity, container, instance. */
  credentials: z
    .strictObject({
      accessKeyId: z.string().min(1),
      secretAccessKey: z.string().min(1),
      sessionToken: z.string().min(1).optional(),
    })
    .optional(),
  /** For a connection to be made. */
  connectTimeoutMs: z.int().min(1).default(5_000),
  /** For an answer to begin, and between any two pieces of its body. */
  requestTimeoutMs: z.int().min(1).default(30_000),
  /** Is told, in one line, what a store lacks and what is done instead. */
  onNotice: z.custom<(text: string) => void>((value) => typeof value === 'function').optional(),
});

function isBare({ username, password, search, hash, href }: URL): boolean {
  return username + password + search + hash === '' && !href.includes('@');
}

export type StoreConfig = z.input<typeof storeConfigSchema>;
export type S3Config = z.output<typeof storeConfigSchema>;

/**
 * The configuration with what the environment adds to it. The SDK reads these variables too, but
 * does not say what it found, and the defaults of other settings depend on it.
 *
 * @throws UserError that names what is wrong, on one line.
 */
export function readS3Config(config: StoreConfig, environment: NodeJS.ProcessEnv): S3Config {
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION } = environment;
  const parsed = storeConfigSchema.safeParse({
    ...config,
    // An empty variable counts as unset.
    endpoint: config.endpoint ?? (AWS_ENDPOINT_URL_S3 || AWS_ENDPOINT_URL || undefined),
    region: config.region ?? (AWS_REGION || AWS_DEFAULT_REGION || undefined),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.join('.') || 'unknown';
  const variable = field === 'endpoint' ? ' (AWS_ENDPOINT_URL_S3)' : '';
  throw new UserError(`The configuration of S3 is wrong: ${field}${variable}: ${issue?.message}.`);
}
