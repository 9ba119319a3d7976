import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { PartRow, ReviewedRow } from '@cutline/shared/run';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseLink } from '../dist/export/index.js';
import { type Gallery, writeGallery } from '../dist/gallery/index.js';
import { captionedRow, failedRow, skippedRow } from './gallery-rows.ts';

/** A gallery on several pages. */

let folder: string;
let first: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-pages-'));
  first = join(folder, 'my page.html');
});
afterEach(() => rm(folder, { recursive: true }));

const rows = (cards: number): PartRow[] => [
  ...Array.from({ length: cards }, (_, n) => captionedRow({ key: `${n}.jpg` })),
  failedRow('cut.jpg', { class: 'corrupt', message: 'cut off' }),
  skippedRow('notes.txt', 'not-an-image'),
];

function galleryOf(all: Gallery['rows'], fields: Partial<Gallery> = {}): Gallery {
  return {
    ...{ run: 'a-run', model: 'tiny@0123456789ab', lengthPenalty: 0.7, rows: all },
    ...{ tryAgain: 'cutline retry a-run', thumbnail: async () => undefined },
    totals: { images: 7, captioned: 5, skipped: 1, failed: 1 },
    ...fields,
  };
}

const pageAt = (name: string) => readFile(join(folder, name), 'utf8');
const keysOf = (page: string) => [...page.matchAll(/data-key="([^"]+)"/g)].map(([, key]) => key);
const linksOf = (page: string) =>
  [...page.matchAll(/ href="(?!data:)([^"]+)"/g)].map(([, to]) => to);

test('cards go on from page to page, and what has no caption is on the last one', async () => {
  const summary = await writeGallery(galleryOf(rows(5), { cards: 5 }), first, { pageCards: 2 });
  expect(summary).toEqual({ pages: 3, cards: 5, captioned: 5, skipped: 1, failed: 1 });
  expect((await readdir(folder)).toSorted()).toEqual([
    ...['my page-2.html', 'my page-3.html', 'my page.html'],
  ]);
  expect(keysOf(await pageAt('my page.html'))).toEqual(['0.jpg', '1.jpg']);
  expect(keysOf(await pageAt('my page-2.html'))).toEqual(['2.jpg', '3.jpg']);
  expect(keysOf(await pageAt('my page-3.html'))).toEqual(['4.jpg', 'cut.jpg', 'notes.txt']);
});

test('each page leads to the others, and to what has no caption', async () => {
  await writeGallery(galleryOf(rows(5), { cards: 5 }), first, { pageCards: 2 });
  const nav = ['my%20page.html#images', 'my%20page-3.html#images'];
  expect(linksOf(await pageAt('my page-2.html'))).toEqual([
    ...['my%20page-3.html#skipped', 'my%20page-3.html#failed'],
    ...[nav[0], nav[0], nav[1], nav[1]],
    ...[nav[0], nav[0], nav[1], nav[1]],
  ]);
  expect(await pageAt('my page-2.html')).toContain('<b aria-current="page">2</b>');
  expect(linksOf(await pageAt('my page-3.html'))).toContain('#failed');
});

test('one page has no links to others', async () => {
  const out = new PassThrough();
  const [page] = await Promise.all([text(out), writeGallery(galleryOf(rows(5)), out)]);
  expect(page).not.toContain('<nav');
  expect(keysOf(page)).toHaveLength(7);
});

test('a smaller gallery takes away the pages that it has no more', async () => {
  await writeGallery(galleryOf(rows(6), { cards: 6 }), first, { pageCards: 2 });
  await writeGallery(galleryOf(rows(3), { cards: 3 }), first, { pageCards: 2 });
  expect((await readdir(folder)).toSorted()).toEqual(['my page-2.html', 'my page.html']);
});

test('pages of another gallery, and of other people, stay as they are', async () => {
  await writeGallery(galleryOf(rows(1)), join(folder, 'my page-2.html'));
  const other = await pageAt('my page-2.html');
  const writing = writeGallery(galleryOf(rows(3), { cards: 3 }), first, { pageCards: 2 });
  await expect(writing).rejects.toThrow(/my page-2\.html is there already/);
  expect(await readdir(folder)).toEqual(['my page-2.html']);
  await writeGallery(galleryOf(rows(2), { cards: 2 }), first, { pageCards: 2 });
  expect(await pageAt('my page-2.html')).toBe(other);

  await writeFile(join(folder, 'my page-3.html'), '<p>mine</p>');
  await rm(join(folder, 'my page-2.html'));
  await writeGallery(galleryOf(rows(3), { cards: 3 }), first, { pageCards: 2 });
  expect(await pageAt('my page-3.html')).toBe('<p>mine</p>');
});

test('a limit holds for all pages, which say what is left out', async () => {
  await writeGallery(galleryOf(rows(9), { cards: 9 }), first, { pageCards: 2, cardsMax: 3 });
  expect((await readdir(folder)).toSorted()).toEqual(['my page-2.html', 'my page.html']);
  expect(await pageAt('my page-2.html')).toContain('the first 3 of 9 captioned images');
  expect(await pageAt('my page.html')).not.toContain('the first 3');
});

test('images, and keys without a caption, lead to the originals', async () => {
  const link = parseLink('https://example.org/a/{key}', '--link');
  const hostile = `b/"><script>alert('1')</script>.jpg`;
  const thumbnail = async () => ({ bytes: Buffer.from('RIFF'), width: 4, height: 3 });
  const all = [
    captionedRow({ key: hostile }),
    failedRow('c d.jpg', { class: 'empty', message: '0' }),
  ];
  await writeGallery(galleryOf(all, { link, thumbnail }), first);
  const url = 'https://example.org/a/b/%22%3E%3Cscript%3Ealert(&#39;1&#39;)%3C/script%3E.jpg';
  const [, ...links] = linksOf(await pageAt('my page.html')).filter((to) => to !== '#skipped');
  expect(links).toEqual([url, url, 'https://example.org/a/c%20d.jpg']);
});

test('what failed and was described by a person is counted as failed, and said to be above', async () => {
  const row = failedRow('pier.jpg', { class: 'timeout', message: 'too slow' });
  const at = '2026-03-01T23:30:00.000Z';
  const reviewed: ReviewedRow = {
    ...{ key: row.key, etag: row.etag, status: 'reviewed', who: 'Zoë', at, row },
    ...{ decision: 'corrected', caption: 'a pier' },
  };
  await writeGallery(galleryOf([reviewed]), first);
  expect(await pageAt('my page.html')).toContain(
    '1 image of these has a caption that a person wrote, and has a card.',
  );
});

test.each([
  ['photos/{key}', 'photos/a%3Ab/c.jpg'],
  ['../photos/{key}', '../photos/a%3Ab/c.jpg'],
  ['file:///home/anna/{key}', 'file:///home/anna/a%3Ab/c.jpg'],
  ['{key}', 'a%3Ab/c.jpg'],
])('originals may be files: %s', (pattern, url) => {
  expect(parseLink(pattern, '--link', { isForPage: true })('a:b/c.jpg')).toBe(url);
});

test.each([
  'javascript:alert({key})',
  'java\tscript:{key}',
  'data:text/html,{key}',
  '//x/{key}',
  'a',
])('a link is nothing that runs, or the same for all: %s', (pattern) => {
  expect(() => parseLink(pattern, '--link', { isForPage: true })).toThrow(/no pattern of URLs/);
});
