import { UserError } from '@cutline/shared/errors';

/**
 * URLs of images, made from a pattern that the user gives: `https://example.org/{key}`. In place of
 * `{key}` comes the key, encoded as a path; in place of `{id}` the key with its slashes encoded,
 * too, as servers of the IIIF Image API have it.
 */
export type Link = (key: string) => string;

/**
 * @param isForPage whether it may also be a file:// URL, or a path from the page that it is for
 * @throws UserError where it is no such pattern
 */
export function parseLink(
  pattern: string,
  flag: string,
  { isForPage = false }: { isForPage?: boolean } = {},
): Link {
  const link: Link = (key) =>
    pattern.replaceAll(/\{(key|id)\}/g, (_, name) => {
      const id = encodeURIComponent(key.replaceAll(/\p{Surrogate}/gu, '\uFFFD'));
      return name === 'id' ? id : id.replaceAll('%2F', '/');
    });
  const isUrl = /^https?:\/\/[^/{}\s]+\//i.test(pattern) && URL.canParse(link('a'));
  // What has a colon may be a URL of another kind, of which some run.
  const isPath = isForPage && /^(file:\/\/(?=\/)|(?!\/\/))[^:\\\s]*$/i.test(pattern);
  if (!(isUrl || isPath) || link('a') === link('b')) {
    throw new UserError(
      `${flag} ${JSON.stringify(pattern)} is no pattern of URLs: expected https://…/{key}` +
        `${isForPage ? ' or photos/{key}' : ''}, with {key}, or {id}, where the key of an image goes.`,
    );
  }
  return link;
}
