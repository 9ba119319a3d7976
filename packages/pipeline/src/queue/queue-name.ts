import type { QueueName } from '@cutline/shared/process';

/**
 * Queues are named after the model they serve, by its hash: workers of another model, or of another
 * version of it, never see its jobs.
 */

/** `cutline-encode-<hash of the model>`, or `-decode-`. */
export function queueName(stage: QueueName, model: string): string {
  return `cutline-${stage}-${modelHash(model)}`;
}

/**
 * What follows the `@` of a model id.
 * @throws Error where it is no `<name>@<hash>`: model ids are checked where they come in.
 */
export function modelHash(model: string): string {
  const hash = /@([A-Za-z0-9_-]+)$/.exec(model)?.[1];
  if (hash === undefined) throw new Error(`Expected a model id <name>@<hash>, found "${model}"`);
  return hash;
}
