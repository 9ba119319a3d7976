import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { PartRow, ReviewedRow } from '@cutline/shared/run';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Gallery, type GalleryLimits, writeGallery } from '../dist/gallery/index.js';
import { captionedRow, failedRow, skippedRow, spot } from './gallery-rows.ts';

const thumbnail = { bytes: Buffer.from('RIFFnot really'), width: 4, height: 3 };

function galleryOf(rows: Gallery['rows'], fields: Partial<Gallery> = {}): Gallery {
  return {
    run: 'a-run',
    model: 'tiny@0123456789ab',
    lengthPenalty: 0.7,
    totals: { images: 1234, captioned: 1200, skipped: 3, failed: 4 },
    tryAgain: 'cutline retry a-run',
    rows,
    thumbnail: async () => thumbnail,
    ...fields,
  };
}

async function pageOf(gallery: Gallery, limits?: Partial<GalleryLimits>): Promise<string> {
  const out = new PassThrough();
  const [page] = await Promise.all([text(out), writeGallery(gallery, out, limits)]);
  return page;
}

/** The words and attributes of one kind of card, without the page's own style and scripts. */
function bodyOf(page: string): string {
  return page
    .slice(page.indexOf('<body>'))
    .replaceAll(/<script type="module">[\s\S]*?<\/script>/g, '');
}

describe('the page', () => {
  it('names the run, the model, its days and the totals, with what is still to do', async () => {
    const page = await pageOf(
      galleryOf([], {
        modelNote: 'Knows dogs & snow.',
        created: '2026-03-01T23:30:00Z',
        finished: '2026-03-04T00:10:00Z',
      }),
    );
    expect(page).toContain('<h1>a-run</h1>');
    expect(page).toContain('<code>tiny@0123456789ab</code>');
    expect(page).toContain('1 March 2026 – 4 March 2026');
    expect(page).toContain('Knows dogs &amp; snow.');
    expect(page).toContain('<dt>images</dt><dd>1,234</dd>');
    expect(page).toContain('<dt>captioned</dt><dd>1,200</dd>');
    expect(page).toContain('<a href="#failed">4</a>');
    expect(page).toContain('<dt>still to do</dt><dd>27</dd>');
    expect(page).toContain('No image has a caption yet.');
  });

  it('explains the score by the run’s own length penalty', async () => {
    expect(await pageOf(galleryOf([]))).toContain('(words + 1)<sup>0.7</sup>');
    expect(await pageOf(galleryOf([], { lengthPenalty: 0 }))).toContain('not normalised by length');
  });

  it('asks nothing of any network and lets only its own hashed scripts and style run', async () => {
    const page = await pageOf(galleryOf([captionedRow({ key: 'a.jpg' })]));
    const policy = /Content-Security-Policy" content="([^"]+)"/.exec(page)?.[1];
    expect(policy).toMatch(/^default-src &#39;none&#39;; img-src data:; /);
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    const references = [...page.matchAll(/\s(?:src|href)="([^"]*)"/g)].map((match) => match[1]);
    expect(references.filter((url) => !/^(data:|#)/.test(url ?? ''))).toEqual([]);
    expect(page).not.toMatch(/\burl\(|@import|sourceMappingURL/);
  });

  it('lists failures by class and skipped images by reason, in the order of reports', async () => {
    const body = bodyOf(
      await pageOf(
        galleryOf([
          failedRow('slow.png', { class: 'timeout', message: 'took longer than 30 s' }),
          failedRow('zero.jpg', { class: 'empty', message: '0 bytes' }),
          skippedRow('notes.txt', 'not-an-image'),
        ]),
      ),
    );
    const order = ['Failed', 'empty', '0 bytes', 'timeout', '30 s', 'Skipped', 'notes.txt'];
    const places = order.map((words) => body.indexOf(words, body.indexOf('<main>')));
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });

  it('keeps to its limits, and says what it leaves out', async () => {
    const rows = Array.from({ length: 6 }, (_, n): PartRow[] => [
      captionedRow({ key: `photograph-${n}.jpg` }),
      failedRow(`broken-${n}.jpg`, { class: 'corrupt', message: 'cut off' }),
    ]);
    const out = new PassThrough();
    const [page, summary] = await Promise.all([
      text(out),
      writeGallery(galleryOf(rows.flat()), out, { cardsMax: 4, listedMax: 5 }),
    ]);
    expect(summary).toEqual({ pages: 1, cards: 4, captioned: 6, skipped: 0, failed: 6 });
    expect(page).toContain('photograph-3.jpg');
    expect(page).not.toContain('photograph-4.jpg');
    expect(page).toContain('the first 4 of 6 captioned images');
    expect(page).toContain('broken-4.jpg');
    expect(page).not.toContain('broken-5.jpg');
    expect(page).toContain('and 1 more image:');
  });
});

describe('what people decided', () => {
  const row = captionedRow({
    key: 'a.jpg',
    caption: 'two words',
    candidates: [
      { caption: 'two words', logProb: -4, score: -1.5 },
      { caption: 'three small words', logProb: -5, score: -2 },
    ],
    attention: [spot(1, 1, 1), spot(6, 6, 1)],
  });
  const reviewed = (fields: Partial<ReviewedRow>): ReviewedRow => ({
    key: row.key,
    etag: row.etag,
    status: 'reviewed',
    decision: 'accepted',
    caption: row.caption,
    who: 'Zoë',
    at: '2026-03-01T23:30:00.000Z',
    row,
    ...fields,
  });
  const cardOf = async (fields: Partial<ReviewedRow>) => {
    const body = bodyOf(await pageOf(galleryOf([reviewed(fields)])));
    return body.slice(body.indexOf('<li class="card"'), body.indexOf('</main>'));
  };

  it('wins over the caption, and names who and when', async () => {
    const card = await cardOf({ decision: 'corrected', caption: 'two <boats>' });
    expect(card).toContain('<p class="caption" dir="auto">two &lt;boats&gt;</p>');
    expect(card).toContain('Written by <bdi>Zoë</bdi>, 1 March 2026');
    expect(card).toContain('<ol start="1"><li><span dir="auto">two words');
    expect(card).not.toContain('data-attention');
  });

  it('keeps where the model looked for a caption that is right', async () => {
    const card = await cardOf({});
    expect(card).toContain('Accepted by <bdi>Zoë</bdi>');
    expect(card).toContain('data-attention');
    expect(card).toContain('<ol start="2"><li><span dir="auto">three small words');
  });

  it('shows a rejected caption as none', async () => {
    const card = await cardOf({ decision: 'rejected', caption: null });
    expect(card).toContain('<del>two words</del>');
    expect(card).toContain('alt=""');
  });

  it('gives a card to an image that failed, and is counted', async () => {
    const row = failedRow('a.jpg', { class: 'timeout', message: 'too slow' });
    const gallery = galleryOf([reviewed({ decision: 'corrected', caption: 'a pier', row })], {
      totals: { images: 1, captioned: 0, skipped: 0, failed: 1, reviewed: 1 },
    });
    const page = await pageOf(gallery);
    expect(page).toContain('a pier');
    expect(page).toContain('<dt>reviewed</dt><dd>1</dd>');
  });
});

describe('a card', () => {
  it('has a thumbnail with its caption as alternative text, or says that there is none', async () => {
    const row = captionedRow({ key: 'a.jpg', caption: 'a dog runs' });
    expect(await pageOf(galleryOf([row]))).toContain(
      `<img src="data:image/webp;base64,${thumbnail.bytes.toString('base64')}" alt="a dog runs" width="4" height="3"`,
    );
    const without = await pageOf(galleryOf([row], { thumbnail: async () => undefined }));
    expect(without).toContain('No preview');
    expect(bodyOf(without)).not.toContain('<img');
  });

  it('carries keys and captions from strangers as text', async () => {
    const hostile = `"><script>alert('1')</script><!-- &amp; \r\n`;
    const body = bodyOf(
      await pageOf(
        galleryOf(
          [
            captionedRow({ key: hostile, caption: hostile }),
            failedRow(hostile, { class: 'internal', message: hostile }),
            skippedRow(hostile, 'duplicate'),
          ],
          { run: hostile, model: hostile, modelNote: hostile },
        ),
      ),
    );
    expect(body).not.toMatch(/<script|<!--|\r/);
    const escaped =
      '&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&lt;!-- &amp;amp; &#13;';
    expect(body).toContain(`alt="${escaped}\n"`);
    expect(body).toContain(`data-key="${escaped}\n"`);
    expect(body).toContain('␍␊</bdi>');
  });

  it('carries attention as a byte a location, each word scaled to its maximum', async () => {
    const attention = [
      [0.5, 0.25, 0.25, 0],
      [0.25, 0.25, 0.25, 0.25],
    ];
    const row = captionedRow({ key: 'a.jpg', caption: 'two words', attention });
    const bytes = Buffer.from([255, 128, 128, 0, 255, 255, 255, 255]).toString('base64');
    expect(await pageOf(galleryOf([row]))).toContain(`data-grid="2x2" data-attention="${bytes}"`);
    expect(await pageOf(galleryOf([row], { attentionGrid: { rows: 1, columns: 4 } }))).toContain(
      'data-grid="1x4"',
    );
  });

  it('shows no attention where it has a single location, which could point nowhere', async () => {
    const row = captionedRow({ key: 'a.jpg', caption: 'two words', attention: [[1], [1]] });
    expect(bodyOf(await pageOf(galleryOf([row])))).not.toContain('data-attention');
  });

  it.each([
    ['a word without attention', [spot(3, 3, 1)], /expected attention \[2, 49\].*found \[1, 49\]/],
    [
      'a grid of another size',
      [
        [1, 0, 0, 0],
        [1, 0],
      ],
      /found \[2, 4\|2\]/,
    ],
    ['locations that form no square', [Array(50).fill(0.02), Array(50).fill(0.02)], /50 locations/],
  ])('refuses %s', async (_, attention, message) => {
    const row = captionedRow({ key: 'a.jpg', caption: 'two words', attention });
    await expect(writeGallery(galleryOf([row]), new PassThrough().resume())).rejects.toThrow(
      message,
    );
  });
});

describe('writing', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cutline-gallery-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('reads rows and makes thumbnails only a little ahead of a slow reader', async () => {
    const images = 200;
    let made = 0;
    let written = 0;
    let aheadMost = 0;
    async function* rows(): AsyncGenerator<PartRow> {
      for (let n = 0; n < images; n++) yield captionedRow({ key: `${n}.jpg` });
    }
    const slow = new Writable({
      highWaterMark: 1,
      write(chunk: Buffer, _encoding, done) {
        written += chunk.toString().split('<li class="card"').length - 1;
        setImmediate(done);
      },
    });
    await writeGallery(
      galleryOf(rows(), {
        thumbnail: async () => {
          aheadMost = Math.max(aheadMost, ++made - written);
          return thumbnail;
        },
      }),
      slow,
    );
    expect(written).toBe(images);
    expect(aheadMost).toBeLessThan(48);
  });

  it('keeps the order of the rows, whichever thumbnail is ready first', async () => {
    const rows = Array.from({ length: 20 }, (_, n) => captionedRow({ key: `key-${n}.jpg` }));
    const page = await pageOf(
      galleryOf(rows, {
        // Later images overtake earlier ones by whole turns of the event loop.
        thumbnail: async ({ key }) => {
          for (let turn = 0; turn < (key.charCodeAt(4) * 7) % 5; turn++) {
            await new Promise(setImmediate);
          }
          return thumbnail;
        },
      }),
    );
    const keys = [...page.matchAll(/data-key="([^"]+)"/g)].map((match) => match[1]);
    expect(keys).toEqual(rows.map(({ key }) => key));
  });

  it('replaces a file only by a complete page', async () => {
    const path = join(folder, 'page.html');
    await writeGallery(galleryOf([captionedRow({ key: 'first.jpg' })]), path);
    const failing = writeGallery(
      galleryOf([captionedRow({ key: 'second.jpg' })], {
        thumbnail: async () => {
          throw new Error('the store is away');
        },
      }),
      path,
    );
    await expect(failing).rejects.toThrow('the store is away');
    expect(await readFile(path, 'utf8')).toContain('first.jpg');
    expect(await readdir(folder)).toEqual(['page.html']);
  });
});
