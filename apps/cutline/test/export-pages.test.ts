import type { ResultRow, ReviewedRow } from '@cutline/shared/run';
import { MemoryStore, type ObjectStore, openStore } from '@cutline/shared/stores';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { startS3 } from '../../../test/support/s3-server.ts';
import { parseLink } from '../dist/export/link.js';
import { writePages } from '../dist/export/write-pages.js';
import { captionedRow, failedRow } from './gallery-rows.ts';

const created = '2026-11-22T20:43:12.000Z';
const target = parseLink('https://images.example.org/{id}/full/max/0/default.jpg', '--link');
const id = parseLink('https://example.org/pages/{key}.json', '--pages');

/** What the IIIF Presentation API 3.0 and the Web Annotation Data Model ask of such a page. */
const pageSchema = z.strictObject({
  '@context': z.tuple([
    z.literal('http://www.w3.org/ns/anno.jsonld'),
    z.literal('http://iiif.io/api/presentation/3/context.json'), // it has to come last
  ]),
  id: z.url({ protocol: /^https?$/ }),
  type: z.literal('AnnotationPage'),
  items: z
    .array(
      z.strictObject({
        id: z.url(),
        type: z.literal('Annotation'),
        motivation: z.enum(['describing', 'tagging', 'supplementing']),
        body: z.strictObject({
          type: z.literal('TextualBody'),
          value: z.string(),
          format: z.literal('text/plain'),
        }),
        created: z.iso.datetime(),
        creator: z.strictObject({ type: z.enum(['Software', 'Person']), name: z.string() }),
        generator: z.strictObject({ type: z.literal('Software'), name: z.literal('Cutline') }),
        target: z.url(),
      }),
    )
    .min(1),
});

const write = (store: ObjectStore, rows: ResultRow[]) =>
  writePages(
    (async function* () {
      yield [...rows, failedRow('b.jpg', { class: 'empty', message: '0 bytes' })].map((row) => ({
        row,
        attempt: '0',
      }));
    })(),
    { store, prefix: 'notes/' },
    { placesOf: (key) => ({ target: target(key), id: id(key) }), created },
  );

const outcomes = (some: object) => ({
  ...{ written: 0, unchanged: 0, removed: 0, kept: 0, refused: 0 },
  ...some,
});

const read = async (store: ObjectStore, key: string) =>
  (await store.get(`notes/${key}.annotations.json`)).bytes.toString('utf8');

const row = captionedRow({
  key: '1920s/a ü#1.jpg',
  caption: 'a <dog>',
  keywords: ['dog', 'park'],
  visibleText: 'NO DOGS',
});

test('a captioned image has a page, as IIIF and the W3C would have it', async () => {
  const store = new MemoryStore();
  expect(await write(store, [row])).toEqual(outcomes({ written: 1 }));
  const page = pageSchema.parse(JSON.parse(await read(store, row.key)));
  expect(page.id).toBe('https://example.org/pages/1920s/a%20%C3%BC%231.jpg.json');
  expect(page.items.map(({ motivation, body }) => [motivation, body.value])).toEqual([
    ['describing', 'a <dog>'],
    ['tagging', 'dog'],
    ['tagging', 'park'],
    ['supplementing', 'NO DOGS'],
  ]);
  expect(new Set(page.items.map((item) => item.id)).size).toBe(4);
  for (const item of page.items) {
    expect(item.id).toMatch(/\.json#[0-9a-f]{16}$/);
    expect(item.target).toBe(
      'https://images.example.org/1920s%2Fa%20%C3%BC%231.jpg/full/max/0/default.jpg',
    );
    expect(item.creator.name).toBe(row.model);
  }
  const keys = [];
  for await (const { key } of store.list()) keys.push(key);
  expect(keys).toEqual(['notes/1920s/a ü#1.jpg.annotations.json']);
});

test('a page of Cutline’s is renewed; one that somebody wrote or edited stays', async () => {
  const store = new MemoryStore();
  await write(store, [row]);
  expect(await write(store, [row])).toMatchObject({ written: 0, unchanged: 1 });
  expect(await write(store, [{ ...row, caption: 'a cat' }])).toMatchObject({ written: 1, kept: 0 });
  const renewed = await read(store, row.key);
  expect(renewed).toContain('a cat');

  const key = `notes/${row.key}.annotations.json`;
  for (const text of [renewed.replace('a cat', 'our cat'), '{"items":[]}', 'notes', '']) {
    await store.put(key, Buffer.from(text));
    expect(await write(store, [row])).toMatchObject({ written: 0, kept: 1 });
    expect(await read(store, row.key)).toBe(text);
  }
});

test('what people decided wins: their words alone, or no page', async () => {
  const store = new MemoryStore();
  const review = (decision: ReviewedRow['decision'], caption: string | null): ReviewedRow => ({
    ...{ key: row.key, etag: null, status: 'reviewed', decision, caption, row },
    ...{ who: 'anna', at: '2026-11-27T08:00:00.000Z' },
  });
  const written = async (reviewed: ReviewedRow) => {
    expect(await write(store, [reviewed])).toEqual(outcomes({ written: 1 }));
    const { items } = pageSchema.parse(JSON.parse(await read(store, row.key)));
    for (const { creator, created } of items) {
      expect({ creator, created }).toEqual({
        creator: { type: 'Person', name: 'anna' },
        created: '2026-11-27T08:00:00.000Z',
      });
    }
    return items.map(({ body }) => body.value);
  };
  expect(await written(review('accepted', row.caption))).toEqual([
    ...['a <dog>', 'dog', 'park', 'NO DOGS'],
  ]);
  expect(await written(review('corrected', 'our dog'))).toEqual(['our dog']);
  const edited = (await read(store, row.key)).replace('our dog', 'my dog');

  const rejected = review('rejected', null);
  expect(await write(store, [rejected])).toEqual(outcomes({ removed: 1 }));
  const key = `notes/${row.key}.annotations.json`;
  expect(await store.head(key)).toBeUndefined();
  expect(await write(store, [rejected])).toEqual(outcomes({}));
  await store.put(key, Buffer.from(edited));
  expect(await write(store, [rejected])).toEqual(outcomes({ kept: 1 }));
  expect(await read(store, row.key)).toBe(edited);
});

test('in a bucket, pages are written, renewed and taken away alike', async () => {
  const s3 = await startS3();
  const store = await openStore(s3.createBucket('annotations'), s3.config);
  try {
    expect(await write(store, [row])).toEqual(outcomes({ written: 1 }));
    expect(await write(store, [row])).toEqual(outcomes({ unchanged: 1 }));
    expect(await write(store, [{ ...row, caption: 'a cat' }])).toEqual(outcomes({ written: 1 }));
    expect(await read(store, row.key)).toContain('a cat');
    const rejected = { decision: 'rejected' as const, caption: null, who: 'anna', row };
    const at = '2026-11-27T08:00:00.000Z';
    expect(
      await write(store, [{ key: row.key, etag: null, status: 'reviewed', at, ...rejected }]),
    ).toEqual(outcomes({ removed: 1 }));
  } finally {
    store.close();
    await s3.stop();
  }
});

test('a pattern of URLs has a place for the key, and is one of the web', () => {
  expect(target('a/b.jpg')).toBe('https://images.example.org/a%2Fb.jpg/full/max/0/default.jpg');
  expect(id('a/b?.jpg')).toBe('https://example.org/pages/a/b%3F.jpg.json');
  for (const pattern of ['https://a.org/', 'a/{key}', 'javascript:x/{key}', 'https://{key}/']) {
    expect(() => parseLink(pattern, '--link')).toThrow(/--link .* is no pattern of URLs/);
  }
});
