import {
  type Counts,
  countLedgers,
  countResults,
  countRows,
  createChunk,
  createDraw,
  createEnd,
  type Decision,
  type ImageRef,
  ledgerParts,
  type PartRow,
  ReviewLog,
  RunStore,
  readChunk,
  readResults,
  readRunState,
  type Summary,
  sha256,
  verifyRun,
} from '@cutline/shared/run';
import { MemoryStore } from '@cutline/shared/stores';
import { beforeEach, describe, expect, test } from 'vitest';
import { accepted, corrected, rejected, undone } from './support/example-reviews.ts';
import {
  captionedRow,
  claimOf,
  exampleRun,
  failedRow,
  imageOf,
  skippedRow,
  time,
} from './support/example-run.ts';
import { listKeys } from './support/list-keys.ts';

/**
 * A finished run of six images: two chunks, of two batches and of one, with a remainder and a
 * failure. Each test harms it in one way, and expects to be told of that in one line.
 */

let store: MemoryStore;
let run: RunStore;

const chunks: ImageRef[][] = [
  [imageOf('a'), imageOf('b'), imageOf('c'), imageOf('d.txt', 'not-an-image')],
  [imageOf('e'), imageOf('a', 'duplicate')],
];

const parts: [batch: number, attempt: string, rows: PartRow[]][] = [
  [0, '0', [captionedRow('a')]],
  [0, '0r', [captionedRow('b')]],
  [1, '0', [failedRow('c'), skippedRow('d.txt', 'not-an-image')]],
  [2, '0', [captionedRow('e'), skippedRow('a')]],
];

beforeEach(async () => {
  store = new MemoryStore('s3://captions');
  run = new RunStore(store, '', 'r1');
  await run.createRun(exampleRun);
  await run.createClaim(claimOf(0));
  for (const [chunk, images] of chunks.entries()) await createChunk(run, chunk, 0, images);
  await createEnd(run, 0, { images: 6, chunks: 2 });
  for (const part of parts) await run.createPart(...part);
  await closeChunk(0, 0);
  await closeChunk(1, 0);
  await run.writeSummary(summaryOf(0), undefined);
});

async function closeChunk(chunk: number, generation: number): Promise<void> {
  const manifest = await readChunk(run, await run.readClaims(), chunk);
  const own = parts.filter(([batch]) => Math.floor(batch / 2) === chunk);
  const named = own.map(async ([batch, attempt]) => {
    const key = run.partKey(batch, attempt);
    const { bytes } = await store.get(key);
    return { name: key.slice(run.prefix.length), sha256: sha256(bytes) };
  });
  await run.createLedger({
    format: 2,
    run: 'r1',
    chunk,
    generation,
    manifest: { name: manifest.name, sha256: sha256(manifest.bytes) },
    ...countRows(own.flatMap(([, , rows]) => rows)),
    parts: await Promise.all(named),
    closed: time,
  });
}

function summaryOf(generation: number): Summary {
  return {
    format: 2,
    run: 'r1',
    generation,
    ...countRows(parts.flatMap(([, , rows]) => rows)),
    chunks: 2,
    parts: parts.length,
    model: exampleRun.model,
    created: time,
    finished: time,
    imagesPerSecond: 1,
    retried: null,
  };
}

/** Replaces an object of the run behind the back of its ledgers. */
async function change(name: string, edit: (text: string) => string): Promise<void> {
  const { bytes } = await store.get(run.prefix + name);
  const text = bytes.toString();
  const edited = edit(text);
  expect(edited).not.toBe(text);
  await store.put(run.prefix + name, Buffer.from(edited));
}

async function edit(name: string, fields: object): Promise<void> {
  await change(name, (text) => JSON.stringify({ ...JSON.parse(text), ...fields }));
}

async function problems(): Promise<string[]> {
  const heard: string[] = [];
  const verification = await verifyRun(run, (problem) => heard.push(problem));
  expect(heard).toEqual(verification.problems);
  return heard;
}

describe('a run', () => {
  test('that nobody touched has no problems', async () => {
    expect(await verifyRun(run)).toEqual({
      problems: [],
      images: 6,
      parts: 4,
      files: 0,
      chunks: 2,
      decisions: 0,
    });
  });

  test('has its rows read in the order of the manifest', async () => {
    const rows: PartRow[] = [];
    for await (const some of readResults(run, await readRunState(run))) rows.push(...some);
    expect(rows).toEqual(parts.flatMap(([, , own]) => own));
  });

  test('is counted alike with ledgers and without them', async () => {
    const state = await readRunState(run);
    const sum = async () => {
      const counts = await countResults(run, state);
      return counts.reduce(
        (all, { images, captioned }) => [all[0]! + images, all[1]! + captioned],
        [0, 0],
      );
    };
    expect(await sum()).toEqual([6, 3]);
    for (const chunk of [0, 1]) await store.delete(run.prefix + run.ledgerName(chunk, 0));
    expect(await sum()).toEqual([6, 3]);
  });

  test('is counted from its ledgers alone, each of which is read once', async () => {
    const known = new Map<string, Counts>();
    const { images, captioned } = await countLedgers(run, known);
    expect({ images, captioned }).toEqual({ images: 6, captioned: 3 });
    await store.delete(run.prefix + run.ledgerName(0, 0));
    expect((await countLedgers(run, known)).images).toBe(2);
    expect(known.size).toBe(2);
  });

  test('is not harmed by what came too late to count', async () => {
    await run.createPart(0, '0a', [captionedRow('a', 'a late caption')]);
    await createChunk(run, 2, 0, [imageOf('z')]);
    expect(await problems()).toEqual([]);
  });

  test('that was cancelled, or goes on, is not finished', async () => {
    await run.createClaim(claimOf(1));
    expect(await problems()).toEqual(['the run goes on: summary.json is of an older generation']);
    await run.createClaim(claimOf(2, { kind: 'cancel' }));
    expect(await problems()).toEqual(['the run was cancelled and is not finished']);
  });

  test('without a summary is not finished', async () => {
    await store.delete(`${run.prefix}summary.json`);
    expect(await problems()).toEqual(['the run is not finished: there is no summary.json']);
  });

  test('that is not there is the trouble of whoever asks', async () => {
    await expect(verifyRun(new RunStore(store, '', 'r2'))).rejects.toThrow(/There is no run "r2"/);
  });
});

describe('a part', () => {
  test('that was changed', async () => {
    await change('parts/000000.jsonl', (text) => text.replaceAll('a a', 'a cat'));
    expect(await problems()).toEqual(['parts/000000.jsonl was changed: its SHA-256 is another']);
  });

  test('that is gone, and the image that it was about', async () => {
    await store.delete(`${run.prefix}parts/000000.0r.jsonl`);
    expect(await problems()).toEqual([
      expect.stringMatching(/^parts\/000000\.0r\.jsonl cannot be read: There is no object/),
      '"b" has no row (batch 0)',
      'ledger/000000.json names parts/000000.0r.jsonl, of which no row counts',
      'ledger/000000.json: images is 4, counted 3',
      'ledger/000000.json: captioned is 2, counted 1',
      'summary.json: captioned is 3, counted 2',
    ]);
  });

  test('that is no part of the chunk', async () => {
    const named = ledgerParts(await run.readLedger(1, 0));
    const foreign = { name: 'parts/000000.jsonl', sha256: named[0]!.sha256 };
    await edit('ledger/000001.json', { parts: [...named, foreign] });
    await edit('summary.json', { parts: 5 });
    expect(await problems()).toEqual([
      'parts/000000.jsonl is no part of chunk 1',
      'ledger/000001.json names parts/000000.jsonl, of which no row counts',
    ]);
  });
});

describe('a ledger', () => {
  test('that is missing', async () => {
    await store.delete(run.prefix + run.ledgerName(1, 0));
    expect(await problems()).toContain('chunk 1 has no ledger');
  });

  test('with wrong totals', async () => {
    await edit('ledger/000001.json', { captioned: 2 });
    expect(await problems()).toEqual(['ledger/000001.json: captioned is 2, counted 1']);
  });

  test('with captions that nobody repeats', async () => {
    await edit('ledger/000000.json', { repeated: [{ caption: 'a goat', images: 7 }] });
    expect(await problems()).toEqual(['ledger/000000.json: repeated "a goat" is 7, counted 0']);
  });

  test('with wrong classes', async () => {
    await edit('ledger/000000.json', { failedByClass: { corrupt: 1, timeout: 1 } });
    expect(await problems()).toEqual(['ledger/000000.json: failedByClass timeout is 1, counted 0']);
  });

  test('that names a part more than once counts', async () => {
    const named = ledgerParts(await run.readLedger(0, 0));
    await edit('ledger/000000.json', { parts: [...named, named[0]] });
    expect(await problems()).toEqual(['summary.json: parts is 4, the ledgers name 5']);
  });

  test('that cannot be read', async () => {
    await edit('ledger/000001.json', { format: 1 });
    expect(await problems()).toContainEqual(
      expect.stringMatching(/^ledger\/000001\.json cannot be read: .*not a ledger\/000001\.json/),
    );
  });

  test('that is outdated: what it counts as failed is to be tried again', async () => {
    await run.createClaim(claimOf(1, { retry: ['corrupt'] }));
    const { etag } = (await run.readSummary())!;
    await run.writeSummary(summaryOf(1), etag);
    const outdated = 'ledger/000000.json is outdated: the chunk was opened again since';
    expect(await problems()).toEqual([outdated]);
    await closeChunk(0, 1);
    expect(await problems()).toEqual([]);
  });

  test('that is outdated: the chunk was listed again since', async () => {
    await run.createClaim(claimOf(1));
    await run.createTakeover(1, { chunks: 1, follows: 0 });
    await createChunk(run, 1, 1, chunks[1]!);
    await createEnd(run, 1, { images: 6, chunks: 2 });
    const { etag } = (await run.readSummary())!;
    await run.writeSummary(summaryOf(1), etag);
    expect(await problems()).toEqual([
      'ledger/000001.json is outdated: the chunk was opened again since',
      'manifest/000001.1.jsonl.gz is not the one that ledger/000001.json is about',
    ]);
  });
});

describe('the manifest', () => {
  test('with a key that has no row', async () => {
    await store.delete(`${run.prefix}manifest/000001.jsonl.gz`);
    await createChunk(run, 1, 0, [imageOf('e'), imageOf('f')]);
    expect(await problems()).toEqual([
      'manifest/000001.jsonl.gz is not the one that ledger/000001.json is about',
      '"f" has no row (batch 2)',
      'ledger/000001.json: images is 2, counted 1',
      'ledger/000001.json: skipped is 1, counted 0',
      'ledger/000001.json: skippedByReason duplicate is 1, counted 0',
      'summary.json: skipped is 2, counted 1',
      'summary.json: skippedByReason duplicate is 1, counted 0',
    ]);
  });

  test('that is not complete', async () => {
    await store.delete(`${run.prefix}manifest/end.json`);
    expect(await problems()).toEqual([
      'the listing is not complete: there is no manifest/end.json',
    ]);
  });

  test('a chunk of which is gone', async () => {
    await store.delete(`${run.prefix}manifest/000001.jsonl.gz`);
    expect(await problems()).toContainEqual(
      expect.stringMatching(/^chunk 1 of the manifest cannot be read: There is no object/),
    );
  });

  test('whose end says more than its chunks have', async () => {
    await edit('manifest/end.json', { images: 7 });
    expect(await problems()).toEqual(['the manifest says 7 images, its chunks have 6']);
  });
});

describe('the summary', () => {
  test.each([
    ['captioned', 4, 3],
    ['images', 7, 6],
    ['failed', 0, 1],
  ])('with a wrong total of %s', async (field, said, counted) => {
    await edit('summary.json', { [field]: said });
    expect(await problems()).toEqual([`summary.json: ${field} is ${said}, counted ${counted}`]);
  });

  test('with wrong numbers of parts and chunks', async () => {
    await edit('summary.json', { parts: 3, chunks: 1 });
    expect(await problems()).toEqual([
      'summary.json: parts is 3, the ledgers name 4',
      'summary.json: chunks is 1, the manifest has 2',
    ]);
  });
});

describe('what people decided', () => {
  const add = async (...decisions: Decision[]) => {
    const log = new ReviewLog(run, 'anna', () => new Date(time));
    for (const decision of decisions) await log.add(decision);
    const [key] = await listKeys(store, 'runs/r1/reviews/');
    return key!.slice(run.prefix.length);
  };

  test('is about images and captions of the run', async () => {
    const judgement = accepted('a');
    await add(judgement, corrected('e', 'two boats'), undone(judgement));
    await add({ ...corrected('c', 'what failed'), shown: null } as Decision);
    await createDraw(run, { ...exampleDraw, images: [imageOfDraw('a'), imageOfDraw('b')] });
    expect(await verifyRun(run)).toMatchObject({ problems: [], decisions: 4 });
  });

  test.each<[string, Decision[], string]>([
    ['an image that is not there', [accepted('z')], 'line 1: names an image that the run does not'],
    [
      'another caption',
      [{ ...accepted('a'), shown: 'a dog' } as Decision],
      'line 1: is about another caption',
    ],
    ['another person', [accepted('a', 'ben')], 'line 1: a decision of "ben", among those of'],
    ['nothing that was said', [undone(accepted('a'))], 'line 1: takes back'],
  ])('is told of where it is about %s', async (_, decisions, problem) => {
    const name = await add(...decisions);
    const found = await problems();
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`${name}, ${problem}`);
  });

  test('is told of where two decisions have one id, or a line is none', async () => {
    const judgement = accepted('a');
    await add(judgement);
    const name = await add({ ...rejected('a'), id: judgement.id });
    expect(await problems()).toEqual([expect.stringContaining('is that of another decision')]);
    await store.put(run.prefix + name, Buffer.from('?\n'));
    expect(await problems()).toEqual([expect.stringContaining(`${name} cannot be read`)]);
  });

  test('is told of where a draw has an image that is not there', async () => {
    await createDraw(run, { ...exampleDraw, images: [imageOfDraw('z')] });
    expect(await problems()).toEqual([
      expect.stringContaining('reviews/draws/000000.json: names an image'),
    ]);
  });

  const exampleDraw = {
    format: 1 as const,
    run: 'r1',
    number: 0,
    who: 'anna',
    made: time,
    population: 3,
  };
  const imageOfDraw = (key: string) => ({ key, etag: `etag-${key}` });
});
