import { buffer, text } from 'node:stream/consumers';
import { parseCsv } from 'hucre/csv';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { describe, expect, test } from 'vitest';
import type { ExportedRow } from '../dist/export/columns.js';
import { csvOf, disarm, isOwnCsv } from '../dist/export/csv.js';
import { fileFormats } from '../dist/export/formats.js';
import { isOwnParquet, parquetOf } from '../dist/export/parquet.js';
import { isOwnXlsx, xlsxOf } from '../dist/export/xlsx.js';
import { captionedRow, failedRow, skippedRow } from './gallery-rows.ts';
import { unzip } from './support/unzip.ts';

/** Each format, read back by a reader that is not the writer. */

const hostile = captionedRow({
  key: '=cmd|\'/c calc\'!A1;"x",\r\n=2.jpg',
  etag: '9b2c',
  caption: 'a "red", white & <blue>\nflag 🏴‍☠️ _x0041_ \u0001',
  score: -0.25,
  keywords: ['flag', '@home'],
  altText: '\t=1+1',
  visibleText: 'STOP',
  warnings: ['blank'],
});
function reviewed(decision: 'corrected' | 'rejected', caption: string | null) {
  const row = captionedRow({ key: `${decision}.jpg` });
  const [who, at] = ['anna', '2026-11-27T08:00:00.000Z'];
  return { key: row.key, etag: null, status: 'reviewed' as const, decision, caption, who, at, row };
}

const rows: ExportedRow[] = [
  { row: hostile, attempt: '0' },
  { row: captionedRow({ key: 'no-score.jpg', score: null, logProb: null }), attempt: '3ra' },
  { row: failedRow('broken.tif', { class: 'corrupt', message: '-cut off' }), attempt: '0' },
  { row: skippedRow('notes.txt', 'not-an-image'), attempt: '1' },
  { row: reviewed('corrected', 'our cat'), attempt: '0' },
  { row: reviewed('rejected', null), attempt: '0' },
];

async function* batches(all: readonly ExportedRow[] = rows, size = 3) {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size);
}

const names =
  'key,etag,status,caption,score,logProb,candidates,class,message,reason,width,height,model,' +
  'attempt,altText,keywords,visibleText,warnings,duplicateOf,decision,reviewedBy,reviewedAt,modelCaption';

/** As docs/EXPORT.md says it, for those who want texts back exactly. */
function rearm(text: string): string {
  const whole = text.replace(/^'('*[\t\r\n])/, '$1');
  return whole.replaceAll(/(^|[;\t\r\n])([ "']*)'([=+\-@＝＋－＠])/g, '$1$2$3');
}

describe('CSV', () => {
  const csv = (bom = false) => text(csvOf(batches(), { bom }));

  test('is read back as it was, but for what would be a formula', async () => {
    const [head, ...body] = parseCsv(await csv());
    expect(head?.join(',')).toBe(names);
    const [first, second, third, fourth, fifth, sixth] = body.map((cells) =>
      Object.fromEntries(cells.map((cell, index) => [head![index], cell])),
    );
    expect(body).toHaveLength(6);
    expect(first).toMatchObject({
      key: "'=cmd|'/c calc'!A1;\"x\",\r\n'=2.jpg",
      caption: hostile.caption,
      score: '-0.25',
      width: '640',
      keywords: 'flag | @home',
      altText: "'\t'=1+1",
      warnings: 'blank',
    });
    expect(rearm(String(first!.key))).toBe(hostile.key);
    expect(rearm(String(first!.altText))).toBe(hostile.altText);
    expect(second).toMatchObject({ score: '', attempt: '3ra', keywords: '' });
    expect(third).toMatchObject({ class: 'corrupt', message: "'-cut off", caption: '' });
    expect(fourth).toMatchObject({ status: 'skipped', reason: 'not-an-image', modelCaption: '' });
    const review = { status: 'reviewed', reviewedBy: 'anna', modelCaption: 'a dog runs' };
    expect(fifth).toMatchObject({ ...review, decision: 'corrected', caption: 'our cat' });
    expect(sixth).toMatchObject({ ...review, decision: 'rejected', caption: '', score: '-1.5' });
  });

  test('no text of it begins a formula, whichever separator a program takes it to have', async () => {
    const formulas = ['=1', '+1', '-1', '@A1', '＝1', ' =1', '"=1', '\t=1', '\r=1', '\n=1', "'=1"];
    const texts = formulas.flatMap((each) => [each, `x;${each}`, `x\t${each}`, `x\n${each}`]);
    for (const each of texts) {
      const safe = disarm(each);
      for (const cell of safe.split(/[;\t\r\n]/)) {
        expect(cell.replace(/^[ "]*/, ''), JSON.stringify(safe)).not.toMatch(/^[=+\-@＝＋－＠]/);
      }
      expect(safe).not.toMatch(/^[\t\r\n]/);
      expect(rearm(safe)).toBe(each);
    }
  });

  test('what is no formula stays as it is', () => {
    for (const each of [
      '',
      "'tis a dog",
      'a - b = c',
      'x@y.org',
      '"quoted"',
      '; and so on',
      "it's",
    ]) {
      expect(disarm(each)).toBe(each);
      expect(rearm(each)).toBe(each);
    }
  });

  test('many separators cost no more than their number', () => {
    const long = `${'\t" \''.repeat(250_000)}=1`;
    expect(rearm(disarm(long))).toBe(long);
  });

  test('has a byte order mark where asked, ends lines with CRLF, and is known again', async () => {
    expect(await csv()).toMatch(/^"key","etag",.*"\r\n/);
    expect(await csv(true)).toMatch(/^\uFEFF"key",/);
    expect([await csv(), await csv(true)].map(isOwnCsv)).toEqual([true, true]);
    expect(['key,etag,status,caption\r\n', 'name,caption\n'].map(isOwnCsv)).toEqual([false, false]);
  });
});

describe('Excel', () => {
  /** Cells of a sheet by their places, `A1`. */
  const cellsOf = (sheet: string) =>
    new Map(
      [...sheet.matchAll(/<c r="([A-Z]+\d+)"([^>]*)>(.*?)<\/c>/gs)].map(
        ([, place, type, inner]) => [
          place,
          { isText: type === ' t="inlineStr"', inner: inner?.replaceAll(/<[^>]*>/g, '') },
        ],
      ),
    );

  test('has texts and numbers, and no formulas', async () => {
    const files = unzip(await buffer(xlsxOf(batches())));
    const sheet = files.get('xl/worksheets/sheet1.xml')!;
    expect(files.get('xl/workbook.xml')).toContain('<sheet name="captions"');
    expect(sheet).not.toContain('<f');
    const cells = cellsOf(sheet);
    expect(cells.get('A1')).toEqual({ isText: true, inner: 'key' });
    expect(cells.get('A2')).toEqual({
      isText: true,
      inner: '=cmd|\'/c calc\'!A1;"x",\n=2.jpg',
    });
    expect(cells.get('D2')?.inner).toBe(
      'a "red", white &amp; &lt;blue&gt;\nflag 🏴‍☠️ _x005F_x0041_ _x0001_',
    );
    expect(cells.get('E2')).toEqual({ isText: false, inner: '-0.25' });
    expect(cells.has('E3')).toBe(false);
    expect(cells.get('I4')).toEqual({ isText: true, inner: '-cut off' });
  });

  test('goes on in another sheet, with its head, where one is full', async () => {
    const files = unzip(await buffer(xlsxOf(batches(), { rowsOfSheetMax: 4 })));
    const sheets = ['sheet1', 'sheet2'].map((name) => files.get(`xl/worksheets/${name}.xml`)!);
    expect(
      sheets.map((sheet) => [...cellsOf(sheet).keys()].filter((at) => /^A/.test(at!))),
    ).toEqual([
      ['A1', 'A2', 'A3', 'A4'],
      ['A1', 'A2', 'A3', 'A4'],
    ]);
    expect(cellsOf(sheets[1]!).get('A2')?.inner).toBe('notes.txt');
    expect(files.get('xl/workbook.xml')).toContain('<sheet name="captions_2"');
  });

  test('a text that no cell holds is cut, and characters that XML has not are replaced', async () => {
    const caption = `\uFFFF${'🏴'.repeat(20_000)}`;
    const long = [{ row: captionedRow({ key: 'a.jpg', caption }), attempt: '0' }];
    const sheet = unzip(await buffer(xlsxOf(batches(long)))).get('xl/worksheets/sheet1.xml')!;
    const cell = cellsOf(sheet).get('D2')!.inner!;
    expect(cell.length).toBeLessThanOrEqual(32_767);
    expect(cell).toMatch(/^\uFFFD(🏴)+…$/u);
  });

  test('is known again, and others are not', async () => {
    const own = (await buffer(xlsxOf(batches()))).toString('utf8');
    expect(isOwnXlsx(own)).toBe(true);
    expect(isOwnXlsx('PK\u0003\u0004\u0014\0\u0006\0\b\0[Content_Types].xml')).toBe(false);
  });
});

describe('Parquet', () => {
  const file = async (options = {}) => {
    const bytes = await buffer(parquetOf(batches(), { metadata: { run: 'r1' }, ...options }));
    return new Uint8Array(bytes).buffer;
  };

  test('has every value as it was, lists and candidates too', async () => {
    const read = await parquetReadObjects({ file: await file() });
    expect(Object.keys(read[0]!).join(',')).toBe(names);
    expect(read[0]).toMatchObject({
      key: hostile.key,
      caption: hostile.caption,
      altText: hostile.altText,
      score: -0.25,
      width: 640,
      keywords: hostile.keywords,
      candidates: hostile.candidates,
      class: null,
    });
    expect(read[1]).toMatchObject({ score: null, attempt: '3ra', keywords: undefined });
    expect(read[1]?.candidates).toEqual([{ caption: 'a dog runs', logProb: null, score: null }]);
    expect(read[2]).toMatchObject({ class: 'corrupt', message: '-cut off', candidates: undefined });
    expect(read[3]).toMatchObject({ status: 'skipped', reason: 'not-an-image' });
    expect(read[4]).toMatchObject({ caption: 'our cat', modelCaption: 'a dog runs' });
    expect(read[5]).toMatchObject({ caption: null, decision: 'rejected', reviewedBy: 'anna' });
  });

  test('has statistics, and row groups of a bounded size', async () => {
    const { row_groups, key_value_metadata } = parquetMetadata(await file({ rowsOfGroupMax: 4 }));
    expect(row_groups.map(({ num_rows }) => num_rows)).toEqual([4n, 2n]);
    const columns = row_groups.map(({ columns }) => columns.map(({ meta_data }) => meta_data));
    const scores = columns.map((of) => of.find((each) => each?.path_in_schema[0] === 'score'));
    expect(scores.map((each) => each?.statistics)).toMatchObject([
      { min_value: -0.25, max_value: -0.25, null_count: 3n },
      { min_value: -1.5, max_value: -1.5, null_count: 0n },
    ]);
    expect(columns.flat().map((each) => each?.codec)).toEqual(Array(50).fill('SNAPPY'));
    expect(key_value_metadata).toEqual([{ key: 'run', value: 'r1' }]);
  });

  test('a file without rows is one, too', async () => {
    const bytes = await buffer(parquetOf(batches([]), { metadata: {} }));
    const read = await parquetReadObjects({ file: new Uint8Array(bytes).buffer });
    expect(read).toEqual([]);
  });

  test('is known again by its footer, and others are not', async () => {
    const own = Buffer.from(await file()).toString('utf8');
    expect(isOwnParquet(own, own)).toBe(true);
    const other = own.replace('cutline export', 'parquet-cpp-ar');
    expect(isOwnParquet(other, other)).toBe(false);
  });
});

describe('what rows carry of a list of keys', () => {
  const source = { id: '=7', 'Titel, alt': 'Bär' };
  const carrying: ExportedRow[] = [
    { row: { ...captionedRow({ key: 'a.jpg' }), source }, attempt: '0' },
    { row: { ...skippedRow('b.txt', 'not-an-image'), source: { id: '8' } }, attempt: '0' },
    { row: captionedRow({ key: 'c.jpg' }), attempt: '0' },
  ];
  const carried = Object.keys(source);

  test('are the last columns of a table', async () => {
    const [head, ...body] = parseCsv(await text(csvOf(batches(carrying), { bom: false, carried })));
    expect(head?.join('|')).toBe(`${names.replaceAll(',', '|')}|source.id|source.Titel, alt`);
    expect(body.map((cells) => cells.slice(-2))).toEqual([
      ["'=7", 'Bär'],
      ['8', ''],
      ['', ''],
    ]);
    const sheet = unzip(await buffer(xlsxOf(batches(carrying), { carried })));
    expect(String(sheet.get('xl/worksheets/sheet1.xml'))).toMatch(/source\.id.*=7.*Bär/s);
  });

  test('are a structure in Parquet', async () => {
    const bytes = await buffer(parquetOf(batches(carrying), { metadata: {}, carried }));
    const read = await parquetReadObjects({ file: new Uint8Array(bytes).buffer });
    expect(read.map((row) => row.source)).toEqual([
      source,
      { id: '8', 'Titel, alt': null },
      undefined,
    ]);
  });
});

describe.each(Object.entries(fileFormats))('%s', (_, { write }) => {
  test('reads rows as its reader takes bytes, and not ahead', async () => {
    let pulled = 0;
    const endless = async function* () {
      for (;;) {
        const batch = Array.from({ length: 64 }, () => ({ row: noise(pulled++), attempt: '0' }));
        yield batch;
      }
    };
    let bytes = 0;
    for await (const chunk of write(endless(), { bom: false, metadata: {}, carried: [] })) {
      bytes += chunk.length;
      if (bytes > 3_000_000) break;
    }
    const atOnce = pulled;
    await new Promise(setImmediate);
    expect(pulled).toBe(atOnce);
    // A row has some 1,700 characters that hardly compress: so few were held that were not written.
    expect(pulled * 1000).toBeLessThan(bytes + 40_000_000);
  });
});

/** A caption of 1,600 characters drawn at random. */
function noise(n: number) {
  const caption = Array.from({ length: 200 }, () => Math.random().toString(36).slice(2, 10)).join(
    '',
  );
  return captionedRow({ key: `${n}.jpg`, caption, candidates: [] });
}
