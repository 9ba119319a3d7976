/** The page of a dashboard, in a real browser: Chromium, where there is one. */

import { MemoryStore } from '@cutline/shared/stores';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createRun } from '../../../test/support/finished-run.ts';
import type { Overview, RunSeen, Seen } from '../dist/dashboard/client/messages.js';
import { serveDashboard } from '../dist/dashboard/index.js';
import { captionedRow, failedRow } from './gallery-rows.ts';
import { chromiumPath, launchChromium, warnWithoutChromium } from './support/browser.ts';

warnWithoutChromium('a dashboard');

const hostile = `<img src=x onerror="window.harmed=1">'"&amp;</script><script>window.harmed=1</script>`;

const run: RunSeen = {
  ...{ run: 'glass-plates', model: 'blip-base@3f9c2d11ab04', state: 'running', isListed: false },
  ...{ listed: 1_240_000, encoded: 402_113, captioned: 396_020, skipped: 812, failed: 1_377 },
  failedByClass: { corrupt: 1_300, 'not-found': 77 },
  ...{ rate: 71.25, deadlineMs: null, secondsLeft: 11_900, idleSeconds: 2, bottleneck: 'encode' },
};

const seen: Seen = {
  redis: { isWritable: true, usedBytes: 412e6, limitBytes: 2e9 },
  featureBytes: 230e6,
  runs: [
    run,
    { ...run, run: 'r1', state: 'without a producer', secondsLeft: null, rate: null, failed: 2 },
    { ...run, run: hostile, state: 'finished', isListed: true, failed: 0, failedByClass: {} },
  ],
  queues: [
    {
      ...{ model: run.model, stage: 'encode', waiting: 240, active: 16, delayed: 2, refused: 0 },
      ...{ oldestSeconds: 214, workers: 8 },
    },
    {
      ...{ model: run.model, stage: 'decode', waiting: 3, active: 0, delayed: 0, refused: 1 },
      ...{ oldestSeconds: 4, workers: 0 },
    },
  ],
  workers: [
    {
      ...{ program: 'encoder-worker', host: 'gpu-1', pid: 4012, version: '0.1.0' },
      ...{ model: run.model, backend: 'onnx', images: 51_002, inHand: 2, rate: 9.04 },
      silentSeconds: 4,
    },
    {
      ...{ program: 'encoder-worker', host: hostile, pid: 1, version: '0.1.0', rate: null },
      ...{ model: run.model, backend: 'onnx', images: 0, inHand: 0, silentSeconds: 71 },
    },
  ],
};

describe.skipIf(!chromiumPath)('a dashboard in a browser', { timeout: 30_000 }, () => {
  let browser: Browser;
  let overview: Overview;
  let server: Awaited<ReturnType<typeof serveDashboard>>;
  let complaints: unknown[];

  beforeAll(async () => {
    browser = await launchChromium();
  }, 60_000);
  afterAll(() => browser?.close());

  beforeEach(async () => {
    complaints = [];
    overview = { seen, contact: '2026-11-28T08:00:00.000Z' };
    const store = new MemoryStore();
    await createRun(store, [
      captionedRow({ key: 'a.jpg', caption: 'a dog' }),
      failedRow(`broken/${hostile}.jpg`, { class: 'corrupt', message: hostile }),
      failedRow('gone.jpg', { class: 'not-found', message: 'it is not there any more' }),
    ]);
    server = await serveDashboard({
      ...{ overview: { read: async () => overview }, output: { store, prefix: '' }, port: 0 },
      ...{ allowedHosts: [], onError: (error) => complaints.push(error) },
    });
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    await server.close();
    expect(complaints).toEqual([]);
  });

  async function visit(options: BrowserContextOptions = {}): Promise<Page> {
    const viewport = { width: 1440, height: 900 };
    const page = await (await browser.newContext({ viewport, ...options })).newPage();
    page.setDefaultTimeout(10_000);
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error));
    await page.goto(server.url);
    await page.locator('.run').first().waitFor();
    return page;
  }

  const trouble = (page: Page) => page.locator('.is-trouble').allTextContents();

  test('shows runs, queues and workers, and what wants somebody', async () => {
    const page = await visit();
    const first = page.locator('.run').first();
    expect(await first.textContent()).toContain('398,209 of 1,240,000+');
    expect(await first.textContent()).toContain('71.3/s');
    expect(await first.textContent()).toContain('3 h 18 min');
    expect(await page.locator('#redis').textContent()).toContain('412 MB of 2.0 GB');
    expect(await trouble(page)).toEqual([
      'nobody sees it to its end: cutline resume',
      '1', // refused
      '0', // workers of decoders, for whom something waits
      '71 s ago',
    ]);
    expect(await page.locator('#queues tbody tr').count()).toBe(2);
  });

  test('shows hostile names as what they are', async () => {
    const page = await visit();
    expect(await page.locator('.run h3').last().textContent()).toBe(hostile);
    expect(await page.locator('#workers tbody tr').last().textContent()).toContain(hostile);
    await page.locator('.run', { hasText: 'r1' }).getByRole('button').click();
    await page.locator('.examples li', { hasText: hostile }).first().waitFor();
    expect(await page.evaluate('window.harmed')).toBeUndefined();
  });

  test('shows examples of failures when asked, which stay while figures change', async () => {
    const page = await visit();
    const failed = page.locator('.run', { hasText: 'r1' });
    const examples = failed.locator('.examples li');
    await failed.getByRole('button').click();
    await examples.first().waitFor();
    expect(await examples.allTextContents()).toEqual([
      `corruptbroken/${hostile}.jpg${hostile}`,
      'not-foundgone.jpgit is not there any more',
    ]);
    overview = { seen: { ...seen, runs: seen.runs.map((each) => ({ ...each, listed: 7 })) } };
    await page.locator('.run', { hasText: 'of 7' }).first().waitFor();
    expect(await examples.count()).toBe(2);
    await failed.getByRole('button').click();
    await examples.first().waitFor({ state: 'detached' });

    await page.locator('.run', { hasText: 'glass-plates' }).getByRole('button').click();
    await page.locator('.examples', { hasText: 'cannot be read' }).waitFor(); // no such run there
  });

  test('says when Redis is gone, leaves what it said last, and goes on when it is back', async () => {
    const page = await visit();
    overview = { contact: '2026-11-28T08:00:00.000Z' };
    await page.locator('#trouble', { hasText: 'Redis does not answer. This is what' }).waitFor();
    expect(await page.locator('main').getAttribute('class')).toBe('is-stale');
    expect(await page.locator('.run').count()).toBe(3);
    overview = { seen: { ...seen, redis: { ...seen.redis, isWritable: false } } };
    await page.locator('#trouble', { hasText: 'takes no writes' }).waitFor();
    overview = { seen };
    await page.locator('#trouble').waitFor({ state: 'hidden' });
  });

  test('says what to do where there is nothing yet', async () => {
    const none = { runs: [], queues: [], workers: [] };
    const page = await visit();
    overview = { seen: { ...seen, ...none } };
    for (const id of ['no-runs', 'no-queues', 'no-workers']) {
      await page.locator(`#${id}`).waitFor();
    }
  });

  test.each([1440, 1024, 390])('fits a screen of %i pixels', async (width) => {
    const page = await visit({ viewport: { width, height: 900 } });
    const scrolls = await page.evaluate(
      'document.documentElement.scrollWidth > document.documentElement.clientWidth',
    );
    expect(scrolls).toBe(false);
  });
});
