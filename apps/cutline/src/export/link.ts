import { UserError } from '@cutline/shared/errors';

/**
 * URLs of images, made from a pattern that the user gives: `https://example.org/{key}`. In place of
 * `{key}` comes the key, encoded as a path; in place of `{id}` the key with its slashes encoded,
 * too, as servers of the IIIF Image API have it.
 */
export type Link = (key: string) => string;

/** @throws UserError where it is no such pattern */
export function parseLink(pattern: string, flag: string): Link {
  const link: Link = (key) =>
    pattern.replaceAll(/\{(key|id)\}/g, (_, name) => {
      const id = encodeURIComponent(key.replaceAll(/\p{Surrogate}/gu, '\uFFFD'));
      return name === 'id' ? id : id.replaceAll('%2F', '/');
    });
  const isUrl = /^https?:\/\/[^/{}\s]+\//i.test(pattern) && URL.canParse(link('a'));
  if (!isUrl || link('a') === link('b')) {
    throw new UserError(
      `${flag} ${JSON.stringify(pattern)} is no pattern of URLs: expected https://…/{key}, with ` +
        '{key}, or {id}, where the key of an image goes.',
    );
  }
  return link;
}
