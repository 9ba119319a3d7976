/**
 * The files of a gallery: `gallery.html`, `gallery-2.html`, …, as many as it has pages. Each but the
 * first says whose page it is: so no page of another gallery, or of anybody else, is taken for one.
 */
import { rm, stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { isWritable, requireWritable } from '../files/require-writable.ts';

/** Which page of how many. */
export interface PagePlace {
  /** From 1. */
  readonly number: number;
  readonly pages: number;
  /** Of the first page, by which the others are named. */
  readonly name: string;
}

export const onePage: PagePlace = { number: 1, pages: 1, name: 'gallery.html' };

/** What each page says of itself. */
export const generator = '<meta name="generator" content="Cutline">';

/** The same, of a page that is not the first. */
export function pageMark({ number, name }: Pick<PagePlace, 'number' | 'name'>): string {
  return `<meta name="cutline:page" content="${number} of ${encodeURIComponent(name)}">`;
}

/** Where the first page, or another, is: beside each other. */
export function pageName(name: string, number: number): string {
  const ending = extname(name);
  return number === 1 ? name : `${name.slice(0, name.length - ending.length)}-${number}${ending}`;
}

/** @throws UserError where the first page cannot be written. */
export async function requireGalleryFile(file: string): Promise<void> {
  await requireWritable(file, (head) => head.includes(generator));
}

/** @throws UserError where one of the files cannot be written. */
export async function prepareFiles(
  file: string,
  pages: number,
): Promise<(PagePlace & { path: string })[]> {
  await requireGalleryFile(file);
  const name = basename(file);
  const files = Array.from({ length: pages }, (_, n) => {
    return { path: pageName(file, n + 1), name, number: n + 1, pages };
  });
  for (const { path, number } of files.slice(1)) {
    await requireWritable(path, (head) => head.includes(pageMark({ number, name })));
  }
  return files;
}

/** Takes away what an earlier, larger gallery of the same name has left. */
export async function removeFurther(file: string, pages: number): Promise<void> {
  const name = basename(file);
  for (let number = pages + 1; ; number++) {
    const path = pageName(file, number);
    const found = await stat(path).catch(() => undefined);
    const isOurs = (head: string) => head.includes(pageMark({ number, name }));
    if (!found?.isFile() || found.size === 0 || !(await isWritable(path, isOurs))) return;
    await rm(path);
  }
}
