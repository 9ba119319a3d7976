import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** Links from page to page of the documentation lead to files, and to headings, that are there. */

const root = fileURLToPath(new URL('..', import.meta.url));
const pages = ['.', 'docs', 'docs/decisions', 'docs/runbooks', 'infra'].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
);

test.each(pages)('%s', (page) => {
  expect(linksOf(read(page)).filter((link) => !leadsSomewhere(page, link))).toEqual([]);
});

test('a link to nothing is found', () => {
  const links = linksOf('[a](none.md), [b](README.md#none), [c](README.md#see-it-work), [d](x y)');
  expect(links.filter((link) => !leadsSomewhere('README.md', link))).toEqual([
    'none.md',
    'README.md#none',
  ]);
});

function read(page: string): string {
  return readFileSync(join(root, page), 'utf8');
}

/** Those within the repository. */
function linksOf(text: string): string[] {
  return Array.from(text.matchAll(/\]\(([^)\s]+)\)/g), ([, link = '']) => link).filter(
    (link) => !/^[a-z]+:/i.test(link),
  );
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', heading] = link.split('#');
  const target = path === '' ? page : join(dirname(page), path);
  if (!existsSync(join(root, target))) return false;
  if (heading === undefined || statSync(join(root, target)).isDirectory()) return true;
  return headingsOf(read(target)).includes(heading);
}

/** As they are named on GitHub. */
function headingsOf(text: string): string[] {
  return Array.from(text.matchAll(/^#+ (.*)$/gm), ([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{Letter}\p{Number} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
