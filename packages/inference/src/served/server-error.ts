/** Why a server gave no answer, and what may come of another try. */
export type ServerFault =
  /** It is down, overloaded or slow, or asks for patience: later it may well answer. */
  | 'unavailable'
  /** The prompt with its image is more than it takes at once. */
  | 'overflow'
  /** It does not take this request, and says why. */
  | 'rejected'
  /** It takes nobody's, from here: a key, a name or an address is wrong. */
  | 'misconfigured';

export class ServerError extends Error {
  override readonly name = 'ServerError';
  readonly fault: ServerFault;
  /** How long it asks to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** Whether it only has too much to do. */
  readonly isThrottled: boolean;
  /** The parameter of the request that it does not take, where it says so. */
  readonly parameter: string | undefined;

  constructor(
    fault: ServerFault,
    message: string,
    {
      retryAfterMs,
      isThrottled = false,
      parameter,
      ...options
    }: ErrorOptions & {
      retryAfterMs?: number | undefined;
      isThrottled?: boolean;
      parameter?: string | undefined;
    } = {},
  ) {
    super(message, options);
    this.fault = fault;
    this.retryAfterMs = retryAfterMs;
    this.isThrottled = isThrottled;
    this.parameter = parameter;
  }
}
