/**
 * The kinds of error that Cutline tells apart, because what happens next differs:
 *
 * - `ImageError`: permanent and about one image. It becomes a failure row in the part.
 * - What may heal by itself (an outage of a store, of Redis, of the network): it is retried.
 *   `isTransient` knows it by what those throw.
 * - `UserError`: the configuration or the command is wrong. One line that says what to do,
 *   and an exit status other than 0; work that was taken stays in the queue.
 *
 * Anything else is a broken invariant: the process logs it and stops.
 */

/** Why an image could not be captioned. The order is the one in which reports list them. */
export const failureClasses = [
  'empty', // 0 bytes
  'unsupported', // not an image, or an image format that is not decoded (SVG, PDF, HEIC, …)
  'corrupt', // an image by its first bytes, but it cannot be decoded to its end
  'too-large', // more bytes or pixels than the limits allow
  'timeout', // decoding took longer than the limit
  'not-found', // deleted between listing and fetching
  'changed', // replaced between listing and fetching (ETag differs)
  'access-denied', // the store refuses to hand it out
  'unavailable', // a transient fault that did not heal within all retries
  'worker-lost', // workers died repeatedly while holding this image alone
  'internal', // a bug: please report it, with the message
] as const;

export type FailureClass = (typeof failureClasses)[number];

/** Why a listed image was not attempted. */
export const skipReasons = [
  'not-an-image', // the key's extension says so (.txt, .json, .mp4, …)
  'duplicate', // the same key was listed before, in a list of keys
] as const;

export type SkipReason = (typeof skipReasons)[number];

/** A permanent failure of one image; the rest of its batch is unharmed. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
  readonly failureClass: FailureClass;

  constructor(failureClass: FailureClass, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failureClass = failureClass;
  }
}

/** Something that a person has to put right. The message is one line and says what to do. */
export class UserError extends Error {
  override readonly name = 'UserError';
}

/**
 * Whether trying again later may help: an outage of a store, of Redis, of the network. Redis out
 * of memory (OOM), loading or failing over counts too, since those end.
 */
export function isTransient(error: unknown): boolean {
  if (isDisconnection(error)) return true;
  if (!(error instanceof Error)) return false;
  const { reason } = error as { reason?: unknown };
  return (
    (error.name === 'StoreError' && reason === 'unavailable') ||
    error.name === 'ReplyError' ||
    error.name === 'MaxRetriesPerRequestError'
  );
}

/** Whether a connection could not be made, or broke. */
export function isDisconnection(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  return (
    error.message === 'Connection is closed.' ||
    /^(ECONN|ETIMEDOUT|EPIPE|EAI_AGAIN|ENOTFOUND)/.test(String(code))
  );
}

/**
 * Whether a person has to put something right before it can work: then the message is one line
 * that says what, and neither a stack trace nor another try would add anything.
 */
export function isForUser(error: unknown): error is Error {
  if (error instanceof UserError) return true;
  if (!(error instanceof Error) || error.name !== 'StoreError') return false;
  return (error as { reason?: unknown }).reason === 'misconfigured';
}

/**
 * The message of anything that was thrown, with its causes, on one line. What stores say, and what
 * is said to the user, is whole as it is.
 */
export function describeError(error: unknown): string {
  const messages: string[] = [];
  for (let e: unknown = error; e !== undefined && e !== null; ) {
    const message = e instanceof Error ? e.message || e.name : String(e);
    if (!messages.some((m) => m.includes(message))) messages.push(message);
    if (!(e instanceof Error) || e.name === 'StoreError' || e.name === 'UserError') break;
    e = e.cause;
  }
  return messages.join(': ').replaceAll(/\s*\n\s*/g, ' ');
}
