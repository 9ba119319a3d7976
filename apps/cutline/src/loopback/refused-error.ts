/** A request that is not granted, and why: what its answer's status will be. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly reason: keyof typeof refusalStatuses;

  constructor(reason: keyof typeof refusalStatuses, message: string) {
    super(message);
    this.reason = reason;
  }
}

export const refusalStatuses = {
  invalid: 400,
  unauthorised: 401,
  forbidden: 403,
  unknown: 404,
  method: 405,
  gone: 410,
  'too-large': 413,
} as const;
