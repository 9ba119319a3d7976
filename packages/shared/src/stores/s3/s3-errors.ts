import { StoreError, type StoreErrorReason } from '../object-store.ts';

/**
 * What the AWS SDK throws, as the StoreError that says what to do. The rules are tried in order;
 * the first that fits decides. What fits none is not about the store (a TypeError, say) and is
 * returned as it is.
 *
 * Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 */
export function s3Error(error: unknown, request: S3Request): unknown {
  if (!(error instanceof Error) || error instanceof StoreError) return error;
  const failure = describeFailure(error);
  for (const rule of rules) {
    const verdict = rule(failure, request);
    if (!verdict) continue;
    const isMissingStore = rule === bucketMissing;
    return new StoreError(verdict[0], verdict[1], { cause: error, isMissingStore });
  }
  return error;
}

export type S3Operation = 'get' | 'head' | 'put' | 'delete' | 'list';

export interface S3Request {
  operation: S3Operation;
  /** What was asked for, as messages show it. */
  name: string;
  bucket: string;
  /** Undefined for Amazon's own. */
  endpoint: string | undefined;
}

/** The HTTP status behind a StoreError, where there was an answer. */
export function statusOf(error: unknown): number | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error ? describeFailure(cause).status : undefined;
}

/** Of what the SDK throws. The answer to a HEAD has no body to say so: every 400 may mean it. */
export function mayBeExpired(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, message, status, region } = describeFailure(error);
  if (code === 'CredentialsProviderError' || code === 'TokenProviderError') {
    return /expired/i.test(message);
  }
  const isHead = status === 400 && region === undefined && /^(Unknown|400|BadRequest)/.test(code);
  return isExpired(code) || isHead;
}

function isExpired(code: string): boolean {
  return /^Expired/.test(code) || code === 'TokenRefreshRequired';
}

/** How often the SDK sent the request. */
export function attemptsOf(error: unknown): number {
  const cause = (error as Error).cause as SdkError | undefined;
  return cause?.$metadata?.attempts ?? 1;
}

interface Failure {
  /** S3's error code, the SDK's name of its own errors, or the system's ('ECONNREFUSED'). */
  code: string;
  message: string;
  /** HTTP status; undefined where there was no answer. */
  status: number | undefined;
  /** The bucket's region, where the answer gives it. */
  region: string | undefined;
  /** There was an answer, but the SDK could not read it. */
  unreadable: boolean;
}

type Verdict = readonly [StoreErrorReason, string] | undefined;
type Rule = (failure: Failure, request: S3Request) => Verdict;

const rules: readonly Rule[] = [
  credentialsMissing,
  credentialsRefused,
  regionWrong,
  bucketMissing,
  keyRefused,
  conditionFailed,
  throttled,
  serverFault,
  notS3,
  objectMissing,
  objectArchived,
  denied,
  certificateRefused,
  unreachable,
  refusedOtherwise,
];

function credentialsMissing({ code }: Failure, { bucket }: S3Request): Verdict {
  if (code !== 'CredentialsProviderError' && code !== 'TokenProviderError') return undefined;
  return [
    'misconfigured',
    `There are no credentials for the bucket "${bucket}": set AWS_ACCESS_KEY_ID and ` +
      'AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.',
  ];
}

function credentialsRefused({ code }: Failure, { bucket }: S3Request): Verdict {
  if (code === 'RequestTimeTooSkewed') {
    return [
      'misconfigured',
      "S3 refused the request's time (RequestTimeTooSkewed): set the clock.",
    ];
  }
  if (isExpired(code)) {
    return ['misconfigured', `The credentials have expired (${code}): renew them.`];
  }
  if (
    !/^(InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|NotSignedUp|InvalidSecurity|AccountProblem|AllAccessDisabled)$/.test(
      code,
    )
  ) {
    return undefined;
  }
  return [
    'misconfigured',
    `S3 refused the credentials for the bucket "${bucket}" (${code}): check AWS_ACCESS_KEY_ID ` +
      'and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.',
  ];
}

function regionWrong({ code, message, status, region }: Failure, { bucket }: S3Request): Verdict {
  if (message === 'Region is missing') {
    return ['misconfigured', `The region of the bucket "${bucket}" is not known: set AWS_REGION.`];
  }
  const redirected = status === 301 || status === 307;
  const codes = ['AuthorizationHeaderMalformed', 'IllegalLocationConstraintException'];
  const headed = status === 400 && region !== undefined; // HEAD: no body, only the header
  if (!redirected && !codes.includes(code) && !headed) return undefined;
  const where = region === undefined ? 'another region' : `the region ${region}`;
  return [
    'misconfigured',
    `The bucket "${bucket}" is in ${where}: set AWS_REGION${region ? `=${region}` : ' to it'}.`,
  ];
}

function bucketMissing({ code }: Failure, { bucket, endpoint }: S3Request): Verdict {
  if (code !== 'NoSuchBucket' && code !== 'InvalidBucketName') return undefined;
  return [
    'misconfigured',
    `There is no bucket "${bucket}" at ${serverName(endpoint)}: create it, or correct the location.`,
  ];
}

/** Codes that begin with X are MinIO's, which keeps objects in files. */
const keyRefusals =
  /^(KeyTooLong|EntityTooLarge|InvalidURI|RequestURITooLong|XMinioInvalid(Object|Resource)Name|XMinioParentIsObject|XMinioObjectExistsAsDirectory)/;

/** About one object: its key, or its size, is one that this store cannot hold. */
function keyRefused({ code, status }: Failure, { operation, name }: S3Request): Verdict {
  const isRefused = keyRefusals.test(code) || status === 413 || status === 414;
  if (operation !== 'put' || !isRefused) return undefined;
  return ['refused', `${name} cannot be written: the store refuses its key or size (${code}).`];
}

function conditionFailed({ code, status }: Failure, { operation, name }: S3Request): Verdict {
  if (operation !== 'put' && operation !== 'delete') return undefined;
  // 404 is the answer to a put with If-Match where there is no object.
  if (status === 412 || (code === 'NoSuchKey' && operation === 'put')) {
    return [
      'exists',
      `${name} was left as it is: it exists already, or is not the version that was meant.`,
    ];
  }
  // Others were writing it in the same moment: which of them was first shows when asked again.
  if (code !== 'ConditionalRequestConflict' && code !== 'OperationAborted') return undefined;
  return ['unavailable', `${name} is being written by others at the same time (${code}).`];
}

function throttled({ code, status }: Failure, { endpoint }: S3Request): Verdict {
  if (status !== 429 && status !== 503 && !/^(SlowDown|Throttl|RequestLimit)/.test(code)) {
    return undefined;
  }
  return [
    'unavailable',
    `${serverName(endpoint)} asks for fewer requests (${status ?? code} ${code}).`,
  ];
}

function serverFault({ code, status }: Failure, { endpoint }: S3Request): Verdict {
  const isFault = (status ?? 0) >= 500 && status !== 501; // 501: not implemented, now or later
  if (code !== 'RequestTimeout' && status !== 408 && !isFault) return undefined;
  return ['unavailable', `${serverName(endpoint)} failed to answer (${status} ${code}).`];
}

function notS3({ unreadable, status }: Failure, { endpoint }: S3Request): Verdict {
  if (!unreadable) return undefined;
  return [
    'misconfigured',
    `${serverName(endpoint)} does not answer as S3 does (HTTP ${status}): check AWS_ENDPOINT_URL_S3.`,
  ];
}

function objectMissing({ code, status }: Failure, { operation, name }: S3Request): Verdict {
  const missing = status === 404 || code === 'KeyTooLongError';
  if (!missing || operation === 'put' || operation === 'list') return undefined;
  return ['not-found', `${name} does not exist.`];
}

function objectArchived({ code }: Failure, { name }: S3Request): Verdict {
  if (code !== 'InvalidObjectState') return undefined;
  return ['access-denied', `${name} is in an archive tier: restore it first.`];
}

/** A read that is denied is about one object; anything else is about the bucket's permissions. */
function denied({ status }: Failure, { operation, name, bucket }: S3Request): Verdict {
  if (status !== 401 && status !== 403) return undefined;
  if (operation === 'get' || operation === 'head') {
    return ['access-denied', `${name} may not be read: grant s3:GetObject on it.`];
  }
  const permission = { list: 's3:ListBucket', put: 's3:PutObject', delete: 's3:DeleteObject' };
  return [
    'misconfigured',
    `Access to the bucket "${bucket}" is denied: grant these credentials ${permission[operation]} on it.`,
  ];
}

function certificateRefused({ code }: Failure, { endpoint }: S3Request): Verdict {
  if (!/CERT|^UNABLE_TO_|^ERR_TLS_|^EPROTO$|^ERR_SSL_/.test(code)) return undefined;
  return [
    'misconfigured',
    `No secure connection to ${serverName(endpoint)} (${code}): trust its certificate with ` +
      'NODE_EXTRA_CA_CERTS, or use http:// if it has none.',
  ];
}

function unreachable({ code }: Failure, { endpoint }: S3Request): Verdict {
  if (code === 'ENOTFOUND' || code === 'ECONNREFUSED') {
    return [
      'unavailable',
      `Cannot reach ${serverName(endpoint)} (${code}): is it running, and is AWS_ENDPOINT_URL_S3 right?`,
    ];
  }
  if (!/^E[A-Z]+$|^TimeoutError$/.test(code)) return undefined;
  return ['unavailable', `The connection to ${serverName(endpoint)} broke (${code}).`];
}

function refusedOtherwise(
  { code, status, message }: Failure,
  { operation, name }: S3Request,
): Verdict {
  if (status === undefined) return undefined;
  const read = operation === 'get' || operation === 'head';
  if (operation === 'head' && status === 400) {
    const reason = 'without saying why; credentials that have expired are refused like that';
    return ['access-denied', `${name}: S3 refused to head (400), ${reason}.`];
  }
  return [
    read ? 'access-denied' : 'misconfigured',
    `${name}: S3 refused to ${operation} (${status} ${code}): ${message}`,
  ];
}

function serverName(endpoint: string | undefined): string {
  return endpoint === undefined ? 'Amazon S3' : `the S3 server at ${endpoint}`;
}

function describeFailure(error: Error): Failure {
  const { code, Region, $response, $metadata } = error as Error & SdkError;
  return {
    code: typeof code === 'string' ? code : error.name,
    message: error.message,
    status: $response?.statusCode ?? $metadata?.httpStatusCode,
    region: Region ?? $response?.headers?.['x-amz-bucket-region'],
    unreadable: /Deserialization error|^Parse Error/.test(error.message),
  };
}

/** What the SDK and Node add to their errors. */
interface SdkError {
  code?: unknown;
  Region?: string;
  $response?: { statusCode?: number; headers?: Record<string, string> };
  $metadata?: { httpStatusCode?: number; attempts?: number };
}
