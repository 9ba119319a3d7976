/** A review as people do it, in a real browser: Chromium, where there is one. */

import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { applyReview, type Draw, type PartRow, readReviews } from '@cutline/shared/run';
import { MemoryStore, StoreError } from '@cutline/shared/stores';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRun } from '../../../test/support/finished-run.ts';
import { captionedRow, failedRow, photographPath, photographRows } from './gallery-rows.ts';
import { chromiumPath, launchChromium, warnWithoutChromium } from './support/browser.ts';
import { type OpenReview, openReview, photographStore } from './support/review-run.ts';

warnWithoutChromium('a review');

const hostile = `<img src=x onerror="window.harmed=1">'"&amp;\r\n</script><script>window.harmed=1</script>`;

const rows: PartRow[] = [
  ...photographRows().map(({ attention: _, ...row }) => row),
  captionedRow({
    key: `photographs/../${hostile}`,
    caption: hostile,
    score: -9,
    candidates: [
      { caption: hostile, logProb: -40, score: -9 },
      { caption: `${hostile} 2`, logProb: -41, score: -9.5 },
    ],
    warnings: [`no .txt sidecar: ${hostile}`],
  }),
  failedRow('broken/é.jpg', { class: 'corrupt', message: `cut off ${hostile}` }),
];

/** Refuses puts while it is told to. */
class MoodyStore extends MemoryStore {
  isDown = false;
  override async put(...args: Parameters<MemoryStore['put']>) {
    if (this.isDown) throw new StoreError('unavailable', 'Slow down.');
    return super.put(...args);
  }
}

describe.skipIf(!chromiumPath)('a review in a browser', { timeout: 30_000 }, () => {
  let browser: Browser;
  let source: MemoryStore;
  let store: MoodyStore;
  let run: Awaited<ReturnType<typeof createRun>>;
  let reviews: OpenReview[] = [];
  let complaints: string[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
    source = await photographStore(rows.slice(0, 9));
    const [first] = rows;
    const bytes = await readFile(photographPath(first as PartRow));
    await source.put(rows[9]?.key as string, bytes);
  }, 60_000);
  afterAll(() => browser?.close());

  beforeEach(async () => {
    store = new MoodyStore();
    run = await createRun(store, rows);
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    for (const review of reviews) await review.close();
    expect(reviews.flatMap(({ errors }) => errors)).toEqual([]);
    expect(complaints).toEqual([]);
    reviews = [];
    complaints = [];
  });

  async function review(options: Parameters<typeof openReview>[2] = {}): Promise<OpenReview> {
    const opened = await openReview(run, source, options);
    reviews.push(opened);
    return opened;
  }

  async function visit({ url }: OpenReview, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({
      viewport: { width: 1440, height: 900 },
      ...options,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    page.on('console', (message) => {
      // What the server refuses is in the console, too; the page says it itself.
      if (!/status of (404|503)/.test(message.text())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(url);
    await page.locator('#stage:not([hidden])').waitFor();
    return page;
  }

  const caption = (page: Page) => page.locator('#caption').inputValue();
  const judged = (page: Page, count: number, of = rows.length) =>
    page.locator('#judged', { hasText: `${count} of ${of} ` }).waitFor();
  const shows = async (page: Page, key: string) => page.locator('#key', { hasText: key }).waitFor();
  const decided = async (key: string) => {
    const row = rows.find((each) => each.key === key) as PartRow;
    return applyReview(row, await readReviews(run));
  };
  /** By least certainty, as the page shows them first. */
  const ordered = rows
    .filter((row) => row.status === 'captioned')
    .toSorted((a, b) => (a.score ?? 0) - (b.score ?? 0));
  const keyAt = (n: number) => ordered[n]?.key as string;

  it('is done with keys alone', async () => {
    const page = await visit(await review());
    await page.locator('#mat[data-state="shown"]').waitFor();
    expect(await caption(page)).toBe(hostile.replace('\r', ''));
    await page.keyboard.press('ArrowRight'); // the hostile one is for another test
    await shows(page, keyAt(1));

    await page.keyboard.press('Enter');
    await shows(page, keyAt(2));
    await page.keyboard.press('2');
    await shows(page, keyAt(3));
    await page.keyboard.press('x');
    await shows(page, keyAt(4));
    await page.keyboard.press('e');
    await page.keyboard.type(', seen from the sea');
    await page.keyboard.press('Enter');
    await shows(page, keyAt(5));
    await judged(page, 4);

    expect(await decided(keyAt(1))).toMatchObject({ decision: 'accepted', who: 'anna' });
    const second = ordered[2]?.candidates[1]?.caption;
    expect(await decided(keyAt(2))).toMatchObject({ decision: 'corrected', caption: second });
    expect(await decided(keyAt(3))).toMatchObject({ decision: 'rejected', caption: null });
    expect(await decided(keyAt(4))).toMatchObject({
      decision: 'corrected',
      caption: `${ordered[4]?.caption}, seen from the sea`,
    });

    await page.keyboard.press('u');
    await shows(page, keyAt(4));
    await page.keyboard.press('Control+z');
    await shows(page, keyAt(3));
    await judged(page, 2);
    expect(await caption(page)).toBe(ordered[3]?.caption);
    expect(await decided(keyAt(3))).toEqual(ordered[3]);
    expect(await decided(keyAt(4))).toEqual(ordered[4]);
  });

  it('goes back to what was judged, says by whom, and judges it again', async () => {
    const page = await visit(await review());
    await page.keyboard.press('x');
    await shows(page, keyAt(1));
    await page.keyboard.press('b');
    await page.locator('#review', { hasText: 'Rejected by you' }).waitFor();
    await page.keyboard.press('Enter');
    await page.locator('#tally', { hasText: '1 accepted, 0 corrected, 0 rejected' }).waitFor();
    expect(await decided(keyAt(0))).toMatchObject({ decision: 'accepted', caption: hostile });
  });

  it('leaves a caption as it was', async () => {
    const page = await visit(await review());
    await page.keyboard.press('ArrowRight');
    await shows(page, keyAt(1));
    await page.keyboard.press('e');
    await page.keyboard.type(' x');
    await page.locator('#accept-label', { hasText: 'Save' }).waitFor();
    await page.keyboard.press('Escape');
    expect(await caption(page)).toBe(ordered[1]?.caption);
    await page.locator('#accept-label', { hasText: 'Accept' }).waitFor();
    expect((await readReviews(run)).size).toBe(0);
  });

  it('shows hostile captions, keys and warnings as what they are', async () => {
    const page = await visit(await review());
    await page.locator('#mat[data-state="shown"]').waitFor();
    expect(await page.locator('#key').textContent()).toContain('<img src=x onerror=');
    expect(await page.locator('#key').textContent()).toContain('␍␊</script>');
    expect(await page.locator('#notes').textContent()).toContain('<script>');
    await page.keyboard.press('2');
    await shows(page, keyAt(1));
    await page.keyboard.press('ArrowLeft');
    expect(await page.locator('.candidate').first().textContent()).toContain('<img src=x');
    await judged(page, 1);
    expect(await decided(keyAt(0))).toMatchObject({ caption: `${hostile} 2` });
    await page.locator('#show-filters').click();
    await page.locator('#kind').selectOption('failed:corrupt');
    await shows(page, 'broken/é.jpg');
    await page.locator('#mat[data-state="missing"]').waitFor();
    expect(await page.evaluate('window.harmed')).toBeUndefined();
    expect(await page.locator('#stage img, #stage script').count()).toBe(1);
  });

  it('gives a caption to an image that failed', async () => {
    const page = await visit(await review());
    await page.locator('#show-filters').click();
    await page.locator('#kind').selectOption('failed');
    await shows(page, 'broken/é.jpg');
    expect(await page.locator('#accept').isDisabled()).toBe(true);
    await page.locator('#caption').fill('a pier');
    await page.locator('#accept').click();
    await page.locator('#end-heading', { hasText: 'last one' }).waitFor();
    await judged(page, 1);
    expect(await decided('broken/é.jpg')).toMatchObject({ caption: 'a pier', who: 'anna' });
  });

  it('finds by words and by score, and says where there is nothing', async () => {
    const page = await visit(await review());
    await page.keyboard.press('/');
    await page.keyboard.type('cat HOUSE');
    await shows(page, 'locomotion-house-cat');
    await page.locator('#position', { hasText: '1 of 1' }).waitFor();
    await page.locator('#search').fill('no such thing');
    await page.locator('#end-heading', { hasText: 'Nothing here' }).waitFor();
    await page.locator('#clear').click();
    await page.locator('#score-max').fill('−8');
    await page.locator('#score-max').press('Tab');
    await page.locator('#position', { hasText: '1 of 1' }).waitFor();
  });

  it('has two reviewers at once lose nothing, and tells who was there before', async () => {
    const [anna, ben] = await Promise.all([review({ who: 'anna' }), review({ who: 'ben' })]);
    const pages = await Promise.all([visit(anna), visit(ben), visit(anna)]);
    const [one, two, tab] = pages as [Page, Page, Page];
    await Promise.all(pages.map((page) => shows(page, 'photographs/../')));
    await one.keyboard.press('ArrowRight');
    await one.keyboard.press('Enter');
    await shows(one, keyAt(2));
    await judged(one, 1);
    // The other tab of Anna still has the same image as nobody's.
    await tab.keyboard.press('ArrowRight');
    await tab.keyboard.press('x');
    await tab.locator('.note', { hasText: 'was accepted by anna' }).waitFor();
    await tab.locator('.note button').click();
    await tab.locator('#review', { hasText: 'Accepted by you' }).waitFor();
    // Ben, in a process of his own, judges all of them at his own pace, the same one included.
    for (let n = 0; n < ordered.length; n++) {
      await shows(two, n === 0 ? 'photographs/../' : keyAt(n));
      await two.keyboard.press('x');
    }
    await two.locator('#finished:not([hidden])').waitFor();
    await two.locator('#saving', { hasText: /^$/ }).waitFor({ state: 'attached' });
    await judged(two, ordered.length);
    expect(await two.locator('#pace').textContent()).toMatch(/^[\d.]+ s an image$/);
    const all = [...(await readReviews(run)).decisions()];
    expect(all.filter(({ who }) => who === 'ben')).toHaveLength(ordered.length);
    expect(all.filter(({ who }) => who === 'anna')).toHaveLength(1);
  });

  it('goes on while the store is down, and saves it all when it is back', async () => {
    const page = await visit(await review());
    store.isDown = true;
    for (let n = 0; n < 3; n++) {
      await shows(page, n === 0 ? 'photographs/../' : keyAt(n));
      await page.keyboard.press('Enter');
    }
    await page.locator('#saving', { hasText: '3 not saved yet. Slow down.' }).waitFor();
    expect((await readReviews(run)).size).toBe(0);
    store.isDown = false;
    await judged(page, 3);
    expect((await readReviews(run)).size).toBe(3);
  });

  it('keeps its token out of the address, and takes no stranger', async () => {
    const opened = await review();
    const page = await visit(opened);
    expect(page.url()).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    await page.keyboard.press('ArrowRight');
    await page.reload();
    await page.locator('#stage:not([hidden])').waitFor();
    const context = await browser.newContext();
    const stranger = await context.newPage();
    await stranger.goto(page.url());
    await stranger.locator('.note', { hasText: 'whole address' }).waitFor();
    expect(await stranger.locator('#stage').isHidden()).toBe(true);
  });

  it('cannot be made to decide, or be read, by the page of another site', async () => {
    const opened = await review();
    const { origin, hash } = new URL(opened.url);
    const evil = createServer((_, response) => response.end('<!doctype html><title>evil</title>'));
    await new Promise<void>((listening) => evil.listen(0, '127.0.0.1', listening));
    const { port } = evil.address() as AddressInfo;
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${port}/`);
    // With the token even, which it cannot know.
    const body = JSON.stringify({ id: randomUUID(), n: 0, decision: 'accepted', seen: null });
    const authorised = {
      authorization: `Bearer ${hash.slice(1)}`,
      'content-type': 'application/json',
    };
    const outcome = await page.evaluate(
      async ([url, options]) =>
        Promise.all(
          options.map((each) =>
            fetch(url, { method: 'POST', ...each }).then(
              ({ type, status }) => `${type} ${status}`,
              () => 'refused',
            ),
          ),
        ),
      [
        `${origin}/api/decide`,
        [
          { body, headers: authorised },
          { body, mode: 'no-cors' },
        ],
      ] as const,
    );
    // Of another port of the same host, a browser may ask without knowing what is answered.
    expect(outcome[0]).toBe('refused');
    expect(['refused', 'opaque 0']).toContain(outcome[1]);
    expect((await readReviews(run)).size).toBe(0);
    evil.close();
  });

  it('estimates from a draw, and goes back to what was left out', async () => {
    const images = ordered.slice(1, 5).map(({ key, etag }) => ({ key, etag }));
    const draw: Draw = {
      ...{ format: 1, run: 'r1', number: 0, who: 'anna', population: 10, images },
      made: '2026-11-22T20:43:12.000Z',
    };
    const page = await visit(await review({ draw }));
    expect(await page.locator('#show-filters').isHidden()).toBe(true);
    await shows(page, images[0]?.key as string);
    await page.keyboard.press('ArrowRight');
    for (const n of [1, 2, 3]) {
      await shows(page, images[n]?.key as string);
      await page.keyboard.press(n === 2 ? 'x' : 'Enter');
    }
    await page.locator('#again').click();
    await shows(page, images[0]?.key as string);
    await judged(page, 0, 4);
    await page.keyboard.press('Enter');
    await judged(page, 4, 4);
    await page.locator('#tally', { hasText: '75% accepted, 95% interval 30 to 95' }).waitFor();
  });

  it.each([
    [1440, 900],
    [1024, 768],
    [390, 844],
  ])('fits a screen of %i pixels', async (width, height) => {
    const isPhone = width < 500;
    const page = await visit(await review(), {
      viewport: { width, height },
      hasTouch: isPhone,
      isMobile: isPhone,
    });
    await page.locator('#mat[data-state="shown"]').waitFor();
    for (const n of [1, 2]) {
      await page.locator('#next').click();
      await shows(page, keyAt(n)); // an upright one, then one that is wider than high
    }
    await page.locator('#mat[data-state="shown"]').waitFor();
    const scrolls = await page.evaluate(
      'document.documentElement.scrollWidth > document.documentElement.clientWidth',
    );
    expect(scrolls).toBe(false);
    for (const id of ['accept', 'reject', 'next', 'undo', 'image', 'caption']) {
      const box = await page.locator(`#${id}`).boundingBox();
      expect(box, id).not.toBeNull();
      if (!box) continue;
      expect(box.x, id).toBeGreaterThanOrEqual(0);
      expect(box.x + box.width, id).toBeLessThanOrEqual(width);
      expect(box.y + box.height, id).toBeLessThanOrEqual(height);
      // A thumb's size.
      if (id !== 'image' && id !== 'caption') expect(box.height, id).toBeGreaterThanOrEqual(44);
    }
    const image = await page.locator('#image').boundingBox();
    expect((image?.width ?? 0) * (image?.height ?? 0)).toBeGreaterThan(0.2 * width * height);
    // With a landscape, too, the image has all the room that the bars leave.
    const mat = await page.locator('#mat').boundingBox();
    if (!isPhone) expect(mat?.height).toBeGreaterThan(0.75 * height);
    await (isPhone ? page.locator('#accept').tap() : page.locator('#accept').click());
    await judged(page, 1);
  });
});
