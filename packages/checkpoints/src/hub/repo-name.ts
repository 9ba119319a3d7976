/** Names that become parts of URLs and paths: of repositories, revisions, commits and files. */
import { UserError } from '@cutline/shared/errors';
import { quote } from '../files/quote.ts';

/** `organisation/name`, or the `name` of one of the first ones. @throws UserError for any other. */
export function checkRepo(repo: string): void {
  const isName =
    /^[A-Za-z0-9_][\w.-]*(\/[A-Za-z0-9_][\w.-]*)?$/.test(repo) &&
    repo.length <= 200 &&
    !repo.includes('--') &&
    !repo.includes('..');
  if (isName) return;
  throw new UserError(
    `${quote(repo)} is not a repository of the Hugging Face hub, which are called like ` +
      'organisation/name.',
  );
}

/** A branch, a tag, `refs/pr/1` or a commit. @throws UserError for what git would not take. */
export function checkRevision(revision: string): void {
  if (isFileName(revision) && !/[\s~^:?*[]/.test(revision)) return;
  throw new UserError(`${quote(revision)} is not a branch, a tag or a commit.`);
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** Whether a path, with slashes, stays below the folder that it is relative to. */
export function isFileName(name: string): boolean {
  return (
    name.length <= 1000 &&
    !/[\p{Cc}\p{Cs}\\]/u.test(name) &&
    !/^[A-Za-z]:/.test(name) &&
    name.split('/').every((part) => !['', '.', '..'].includes(part) && part.length <= 255)
  );
}
