/** The gallery as a person uses it, in a real browser: Chromium, where there is one. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeThumbnail, writeGallery } from '../dist/gallery/index.js';
import {
  captionedRow,
  failedRow,
  photographPath,
  photographRows,
  skippedRow,
  spot,
} from './gallery-rows.ts';
import { chromiumPath, launchChromium, warnWithoutChromium } from './support/browser.ts';

warnWithoutChromium('the gallery');

const hostile = `<img src=x onerror="window.harmed=1">'"&amp;\r\n</script><script>window.harmed=1</script>`;

const rows = [
  ...photographRows(),
  captionedRow({
    key: 'grey/corners.jpg',
    caption: 'first last',
    score: -0.5,
    attention: [spot(6, 1, 1), spot(1, 6, 1)],
  }),
  captionedRow({ key: `hostile/${hostile}`, caption: hostile, score: -9 }),
  failedRow('broken/é.jpg', { class: 'corrupt', message: 'premature end of JPEG image' }),
  failedRow(`hostile/failed ${hostile}`, { class: 'internal', message: hostile }),
  skippedRow('notes.txt', 'not-an-image'),
];
const gallery = {
  run: 'browser-test',
  model: 'tiny@0123456789ab',
  modelNote: hostile,
  lengthPenalty: 0.7,
  totals: { images: rows.length, captioned: 11, skipped: 1, failed: 2 },
  tryAgain: 'cutline retry browser-test',
};
const corners = rows.findIndex(({ key }) => key === 'grey/corners.jpg');

describe.skipIf(!chromiumPath)('the gallery in a browser', { timeout: 30_000 }, () => {
  let browser: Browser;
  let server: Server;
  let url: string;
  let requests: string[] = [];
  let complaints: string[] = [];

  beforeAll(async () => {
    const html = await galleryPage();
    server = createServer((request, response) => {
      requests.push(`${request.method} ${request.url}`);
      response.setHeader('content-type', 'text/html').end(html);
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/page.html`;
    browser = await launchChromium();
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    expect(complaints).toEqual([]);
    requests = [];
    complaints = [];
  });

  async function open(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 900 },
      ...options,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      if (request.url() !== url && !request.url().startsWith('data:'))
        complaints.push(request.url());
    });
    await page.goto(url);
    return page;
  }

  const card = (page: Page, index: number) => page.locator('.card').nth(index);
  const word = (page: Page, index: number, position: number) =>
    card(page, index).locator('.word').nth(position);

  it('makes no request but for itself, and no complaint', async () => {
    const page = await open();
    await page.mouse.wheel(0, 20_000);
    await page.locator('.page-footer').waitFor();
    await page.waitForLoadState('networkidle');
    expect(requests).toEqual(['GET /page.html']);
    const loaded = await page.evaluate(
      'Promise.all([...document.images].map((image) => image.decode().then(() => image.naturalWidth)))',
    );
    expect(loaded).toHaveLength(rows.filter(({ status }) => status === 'captioned').length);
  });

  it('lights the image where the model looked for the word under the pointer', async () => {
    const page = await open();
    const grey = card(page, corners);
    const dark = await quadrants(grey);
    await word(page, corners, 0).hover();
    const first = await quadrants(grey);
    await word(page, corners, 1).hover();
    const last = await quadrants(grey);
    await page.mouse.move(1, 1);
    const after = await quadrants(grey);

    expect(spread(dark)).toBeLessThan(2);
    expect(brightest(first)).toBe('upper right');
    expect(brightest(last)).toBe('lower left');
    expect(spread(first)).toBeGreaterThan(40);
    expect(spread(last)).toBeGreaterThan(40);
    expect(after).toEqual(dark);
  });

  it('lays the heat map over the whole of a photograph, and changes it from word to word', async () => {
    const page = await open();
    const house = card(page, 4);
    const looks = [await screenshot(house)];
    for (const position of [1, 4]) {
      await word(page, 4, position).hover();
      looks.push(await screenshot(house));
      const heat = await house.locator('.heat').boundingBox();
      const image = await house.locator('img').boundingBox();
      for (const side of ['x', 'y', 'width', 'height'] as const) {
        expect(heat?.[side]).toBeCloseTo(image?.[side] ?? Number.NaN, 0);
      }
    }
    expect(new Set(looks.map((look) => look.toString('base64'))).size).toBe(3);
  });

  it('steps through the words by keyboard, one tab stop a caption, and says where it is light', async () => {
    const page = await open();
    await word(page, corners, 0).focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('[data-shown]').textContent()).toBe('last');
    expect(await page.locator('#announcement').textContent()).toBe('last: brightest at lower left');
    expect(brightest(await quadrants(card(page, corners)))).toBe('lower left');
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('[data-shown]').textContent()).toBe('last');
    await page.keyboard.press('Home');
    expect(await page.locator('[data-shown]').textContent()).toBe('first');
    await page.keyboard.press('Tab');
    expect(await page.locator('.heat').count()).toBe(0);
    expect(await page.locator(':focus').getAttribute('data-key')).toBe('grey/corners.jpg');
    await page.keyboard.press('Shift+Tab');
    expect(await page.locator('[data-shown]').textContent()).toBe('first');
    await page.keyboard.press('Escape');
    expect(await page.locator('.heat').count()).toBe(0);
  });

  it('shows a tapped word until something else is tapped, at a phone’s width', async () => {
    const page = await open({
      viewport: { width: 390, height: 844 },
      hasTouch: true,
      isMobile: true,
    });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    await word(page, corners, 1).tap();
    expect(brightest(await quadrants(card(page, corners)))).toBe('lower left');
    await card(page, corners).locator('.facts').tap();
    expect(await page.locator('.heat').count()).toBe(0);
  });

  it('opens the other candidates with their scores', async () => {
    const page = await open();
    const other = card(page, 0).locator('details li');
    expect(await other.first().isVisible()).toBe(false);
    await card(page, 0).getByText('4 other candidates').click();
    expect(await other.first().isVisible()).toBe(true);
    expect(await other.count()).toBe(4);
    expect(await other.first().textContent()).toBe(
      'a black dog is standing in front of a lake−2.25',
    );
  });

  it('searches captions, keys and messages, and counts what it finds', async () => {
    const page = await open();
    const shown = page.locator('#shown');
    const visible = page.locator(':is(.card, .entry):visible');
    expect(await shown.textContent()).toBe(`${rows.length} images`);

    await page.locator('#query').fill('FIELD dogs');
    expect(await shown.textContent()).toBe(`1 of ${rows.length}`);
    expect(await visible.locator('.caption').textContent()).toBe('two dogs are playing in a field');
    expect(await page.locator('#failed').isVisible()).toBe(false);

    await page.locator('#query').fill('nagasaki-boats.jpg');
    expect(await visible.locator('code').allTextContents()).toEqual([
      'photographs/nagasaki-boats.jpg',
    ]);

    await page.locator('#query').fill('broken/E premature');
    expect(await visible.locator('code').allTextContents()).toEqual(['broken/é.jpg']);
    expect(await page.locator('#failed').isVisible()).toBe(true);

    await page.locator('#query').fill('no such thing');
    expect(await visible.count()).toBe(0);
    expect(await page.getByText('Nothing here matches the search.').isVisible()).toBe(true);

    await page.locator('#query').fill('');
    expect(await visible.count()).toBe(rows.length);
  });

  it('puts the least certain first, the most certain first, and back as listed', async () => {
    const page = await open();
    const scores = async () =>
      (await page.locator('.facts .score').allTextContents()).map((score) =>
        Number(score.replace('−', '-')),
      );
    const listed = await scores();
    await page.locator('#order').selectOption('least-certain');
    expect(await scores()).toEqual(listed.toSorted((a, b) => a - b));
    await page.locator('#order').selectOption('most-certain');
    expect(await scores()).toEqual(listed.toSorted((a, b) => b - a));
    await page.locator('#order').selectOption('listing');
    expect(await scores()).toEqual(listed);
  });

  it('shows hostile keys and captions as text, and copies the exact key', async () => {
    const page = await open({ permissions: ['clipboard-read', 'clipboard-write'] });
    const row = card(page, corners + 1);
    expect(await row.locator('.caption').textContent()).toBe(hostile);
    expect(await row.locator('img').getAttribute('alt')).toBe(hostile);
    expect(await page.locator('#failed .message').last().textContent()).toBe(hostile);
    await row.hover();
    await row.getByRole('button', { name: 'Copy' }).click();
    await row.getByText('Copied').waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(`hostile/${hostile}`);
    expect(await page.evaluate('window.harmed')).toBeUndefined();
    expect(await page.locator('script').count()).toBe(2);
  });

  it.each(['light', 'dark'] as const)('has readable contrast in the %s', async (colorScheme) => {
    const page = await open({ colorScheme });
    const grounds: Record<string, string> = { '#query': '#query', '#order': '#order' };
    const texts = ['body', '.imprint', '.eyebrow', '.legend p', '.shown', '.caption', '.facts'];
    texts.push('.key code', '.copy', 'summary', '.message', '.meaning', '.page-footer');
    for (const selector of [...texts, ...Object.keys(grounds)]) {
      const colour = await colourOf(page, selector, 'color');
      const ground = await colourOf(page, grounds[selector] ?? 'body', 'backgroundColor');
      expect(contrast(colour, ground), selector).toBeGreaterThanOrEqual(4.5);
    }
  });

  it('leads from page to page, past its head, and to what has no caption', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cutline-pages-'));
    try {
      const cards = rows.filter(({ status }) => status === 'captioned').length;
      const path = join(folder, 'my page.html');
      await writeGallery({ ...gallery, rows, cards, thumbnail: async () => undefined }, path, {
        pageCards: Math.ceil(cards / 2),
      });
      const page = await browser.newPage();
      await page.goto(pathToFileURL(path).href);
      await page.click('nav.pages a[rel=next]');
      await page.waitForURL(/my%20page-2\.html#images$/);
      expect(await page.title()).toBe('browser-test · page 2 · Cutline');
      expect(await page.locator('.entry').count()).toBe(3);
      await page.click('nav.pages a[rel=prev]');
      await page.click('.totals a[href$="#failed"]');
      await page.waitForURL(/my%20page-2\.html#failed$/);
      expect(await page.locator('#failed .entry').count()).toBe(2);
      await page.close();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

async function galleryPage(): Promise<Buffer> {
  const grey = sharp({ create: { width: 300, height: 200, channels: 3, background: '#888' } });
  const greyThumbnail = await makeThumbnail(await grey.png().toBuffer());
  const out = new PassThrough();
  const [html] = await Promise.all([
    buffer(out),
    writeGallery(
      {
        ...gallery,
        rows,
        thumbnail: async (row) =>
          row.key.startsWith('photographs/')
            ? makeThumbnail(readFileSync(photographPath(row)))
            : greyThumbnail,
      },
      out,
    ),
  ]);
  return html;
}

/** A card's image as it is on the screen; what is far from the screen has not been laid out. */
async function screenshot(card: Locator): Promise<Buffer> {
  await card.scrollIntoViewIfNeeded();
  return card.locator('.print').screenshot({ animations: 'disabled' });
}

type Quadrants = Record<'upper left' | 'upper right' | 'lower left' | 'lower right', number>;

/** Mean brightness, 0 to 255, of the four quarters of what is on the screen. */
async function quadrants(card: Locator): Promise<Quadrants> {
  const image = sharp(await screenshot(card));
  const { width, height } = await image.metadata();
  // The edges share their pixels with the paper around them.
  const inside = { left: 3, top: 3, width: width - 6, height: height - 6 };
  const { data, info } = await image
    .extract(inside)
    .grayscale()
    .resize(2, 2, { fit: 'fill', kernel: 'linear' })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const at = (index: number) => data[index * info.channels] ?? 0;
  return { 'upper left': at(0), 'upper right': at(1), 'lower left': at(2), 'lower right': at(3) };
}

function brightest(means: Quadrants): string | undefined {
  return Object.entries(means).toSorted(([, a], [, b]) => b - a)[0]?.[0];
}

function spread(means: Quadrants): number {
  return Math.max(...Object.values(means)) - Math.min(...Object.values(means));
}

/** A colour that the browser computed, as red, green and blue of 0 to 255. */
async function colourOf(page: Page, selector: string, property: string): Promise<number[]> {
  const element = `document.querySelector(${JSON.stringify(selector)})`;
  const colour = await page.evaluate(`getComputedStyle(${element}).${property}`);
  return (String(colour).match(/[\d.]+/g) ?? []).slice(0, 3).map(Number);
}

/** WCAG 2.2, contrast ratio: 1 to 21. */
function contrast(a: number[], b: number[]): number {
  const [lighter = 0, darker = 0] = [luminance(a), luminance(b)].toSorted((x, y) => y - x);
  return (lighter + 0.05) / (darker + 0.05);
}

/** WCAG 2.2, relative luminance: 0 to 1. */
function luminance(colour: number[]): number {
  const [red = 0, green = 0, blue = 0] = colour.map((channel) => {
    const value = channel / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
