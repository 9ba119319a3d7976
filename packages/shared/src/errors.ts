/**
 * The kinds of error that Cutline tells apart, because what happens next differs:
 *
 * - `ImageError`: permanent and about one image. It becomes a failure row in the part.
 * - What may heal by itself (an outage of a store, of Redis, of a model's server, of the network):
 *   it is retried.
 *   `isTransient` knows it by what those throw.
 * - `UserError`: the configuration or the command is wrong. One line that says what to do,
 *   and an exit status other than 0; work that was taken stays in the queue. `isForUser` knows
 *   besides what stores and Redis say that no other try would mend.
 *
 * Anything else is a broken invariant: the process logs it and stops.
 */

/** Why an image could not be captioned. The order is the one in which reports list them. */
export const failureClasses = [
  'empty', // 0 bytes
  'unsupported', // an image format or a variant that is not decoded (SVG, …), or no image at all
  'corrupt', // an image by its first bytes, but it cannot be decoded to its end
  'too-large', // more bytes or pixels than the limits allow
  'timeout', // decoding took longer than the limit
  'not-found', // deleted between listing and fetching
  'changed', // replaced between listing and fetching (ETag differs)
  'access-denied', // the store refuses to hand it out
  'refused', // a model behind a server would not describe it, or gave no answer that can be used
  'unavailable', // a transient fault that did not heal within all retries
  'worker-lost', // workers died repeatedly while holding this image alone
  'internal', // a bug: please report it, with the message
] as const;

export type FailureClass = (typeof failureClasses)[number];

/** Why a listed object has no caption, and needs none. */
export const skipReasons = [
  'not-an-image', // its name says so (.txt, .json, .mp4, …), or its content, and its name not otherwise
  'duplicate', // the same key was listed before, in a list of keys
  'archived', // in a storage class that has to be restored before it can be read
] as const;

export type SkipReason = (typeof skipReasons)[number];

/** What may be tried again: failures, and what was archived when it was listed. */
export const retryClasses = [...failureClasses, 'archived'] as const;

export type RetryClass = (typeof retryClasses)[number];

/** A permanent failure of one image; the rest of its batch is unharmed. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
  readonly failureClass: FailureClass;

  constructor(failureClass: FailureClass, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failureClass = failureClass;
  }
}

/** What is a document, a video, text: no photograph, whatever its name says. */
export class NotAnImageError extends ImageError {
  constructor(message: string) {
    super('unsupported', message);
  }
}

/** Something that a person has to put right. The message is one line and says what to do. */
export class UserError extends Error {
  override readonly name = 'UserError';
}

/**
 * Replies of Redis to what may well succeed later: it is full, or busy, or loading, or its cluster
 * or its replicas are about to change roles. Any other reply (NOPERM, WRONGTYPE, WRONGPASS, an
 * unknown command, …) would be the same in a week.
 */
const passingReplies: ReadonlySet<string> = new Set([
  'BUSY', // a script runs for too long
  'CLUSTERDOWN', // a master of the cluster is gone, and no replica has taken over yet
  'LOADING', // the data, from disk or from the master
  'MASTERDOWN', // a replica that lost its master
  'MISCONF', // it cannot save: the disk is full
  'NOREPLICAS', // fewer replicas than min-replicas-to-write
  'NOSCRIPT', // a script that Redis forgot when it started anew
  'OOM', // maxmemory
  'READONLY', // a replica now, which was the master before a failover
  'TRYAGAIN', // a slot of the cluster is on its way to another node
  'UNBLOCKED', // a blocking command was ended, since the master became a replica
]);

/** `READONLY`, `ERR`, … of a reply of Redis that is an error; undefined of any other error. */
export function redisReplyCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return undefined;
  // Redis 6 and older wrap what a script ran into: "ERR Error running script (…): … -OOM …".
  const inScript = /^ERR Error running script.*: -([A-Z]+) /.exec(error.message)?.[1];
  return inScript ?? /^-?([A-Z]+)\b/.exec(error.message)?.[1];
}

function isPassingReply(error: Error): boolean {
  const code = redisReplyCode(error);
  if (code === 'EXECABORT') {
    const { previousErrors = [] } = error as { previousErrors?: unknown[] };
    return previousErrors.every(isTransient);
  }
  if (code === 'ERR') return /^ERR max number of clients/.test(error.message);
  return code !== undefined && passingReplies.has(code);
}

/**
 * Whether trying again later may help: an outage of a store, of Redis, of a model's server, of the
 * network. Replies of Redis count where they tell of a state that ends (see `passingReplies`).
 */
export function isTransient(error: unknown): boolean {
  if (isDisconnection(error)) return true;
  if (!(error instanceof Error)) return false;
  const { reason, fault } = error as { reason?: unknown; fault?: unknown };
  return (
    (error.name === 'StoreError' && reason === 'unavailable') ||
    (error.name === 'ServerError' && fault === 'unavailable') ||
    (error.name === 'ReplyError' && isPassingReply(error)) ||
    error.name === 'MaxRetriesPerRequestError' ||
    error.name === 'ClusterAllFailedError' ||
    error.message.startsWith('Too many Cluster redirections')
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
  if (!(error instanceof Error)) return false;
  if (error.name === 'ReplyError') return !isPassingReply(error);
  if (error.name !== 'StoreError') return false;
  // Images that are denied are failures of theirs by the time that they come here: what is left is
  // about a run's own objects.
  const { reason } = error as { reason?: unknown };
  return reason === 'misconfigured' || reason === 'access-denied';
}

/**
 * The message of anything that was thrown, with its causes, on one line. What stores say, and what
 * is said to the user, is whole as it is.
 */
export function describeError(error: unknown): string {
  const messages: string[] = [];
  for (let e: unknown = error; e !== undefined && e !== null; ) {
    const message = e instanceof Error ? messageOf(e) : String(e);
    if (!messages.some((m) => m.includes(message))) messages.push(message);
    if (!(e instanceof Error) || e.name === 'StoreError' || e.name === 'UserError') break;
    e = e.cause;
  }
  return messages.join(': ').replaceAll(/\s*\n\s*/g, ' ');
}

function messageOf(error: Error): string {
  const message = error.message || error.name;
  // Redis seldom says what it was that it would not do. Arguments may be secret, or large.
  const { command } = error as { command?: { name?: unknown } };
  if (error.name !== 'ReplyError' || typeof command?.name !== 'string') return message;
  return `Redis answers ${command.name} with "${message}"`;
}
