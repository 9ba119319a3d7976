import { UserError } from '@cutline/shared/errors';
import { parsePlace } from '@cutline/shared/stores';
import type { Results } from './results.ts';

/**
 * The store that has the images of results.
 * @param given where the user says that they are now
 * @throws UserError where nobody says it
 */
export function imagesStore(
  { title, request }: Pick<Results, 'title' | 'request'>,
  given: string | undefined,
): string {
  if (given !== undefined) return parsePlace(given).store;
  if (request) return request.source.store;
  throw new UserError(
    `${title} does not say where its images are: give --images <folder or s3://bucket>.`,
  );
}
