import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { pageOf } from './draw/page.mjs';

/**
 * Draws every dashboard from a Prometheus, without Grafana: what each panel asks, over the last so
 * many minutes, in a browser. For pictures, and to see that panels have something to say; what
 * Grafana itself makes of the same files it does not show.
 *
 *     node infra/grafana/draw.mjs http://127.0.0.1:9090 docs/pictures [minutes]
 */
const [url, folder, minutes = '30'] = process.argv.slice(2);
if (!url || !folder) {
  process.stderr.write('usage: draw.mjs <url of Prometheus> <folder for pictures> [minutes]\n');
  process.exit(2);
}
const end = Date.now() / 1000;
const start = end - 60 * Number(minutes);
const step = Math.max(1, Math.round((end - start) / 240));

/** Grafana's variables, as a person finds them: everything chosen. */
const filled = (/** @type {string} */ expr) =>
  expr
    .replaceAll('$__rate_interval', '1m')
    .replaceAll('$__range', `${minutes}m`)
    .replaceAll(/\$(run|model|pool)\b/g, '.*');

/** @param {string} path @param {Record<string, string>} query */
async function ask(path, query) {
  const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(query)}`);
  const answer = await response.json();
  if (answer.status !== 'success') throw new Error(`${query.query}: ${answer.error}`);
  return answer.data.result;
}

/** @param {any} panel */
async function answered(panel) {
  const series = [];
  for (const { expr, legendFormat } of panel.targets ?? []) {
    const range = { start: String(start), end: String(end), step: String(step) };
    const isTable = panel.type === 'table';
    const query = filled(expr);
    const results = await (isTable
      ? ask('query', { query })
      : ask('query_range', { query, ...range }));
    for (const { metric, value, values = [value] } of results) {
      const name = legendFormat.replaceAll(
        /\{\{(\w+)\}\}/g,
        (/** @type {string} */ _, /** @type {string} */ label) => metric[label] ?? '',
      );
      const points = values.map((/** @type {[number, string]} */ [at, text]) => [at, Number(text)]);
      series.push({ name: name || Object.values(metric).join(' '), labels: metric, points });
    }
  }
  return { ...panel, series };
}

const executablePath = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
].find((path) => path && existsSync(path));
const browser = await chromium.launch({
  ...(executablePath && { executablePath }),
  args: ['--no-sandbox', '--disable-gpu'],
});
mkdirSync(folder, { recursive: true });
const files = new URL('dashboards/', import.meta.url);
for (const name of readdirSync(files)) {
  const dashboard = JSON.parse(readFileSync(new URL(name, files), 'utf8'));
  const panels = [];
  for (const panel of dashboard.panels) panels.push(await answered(panel));
  const page = await browser.newPage({ viewport: { width: 1440, height: 600 } });
  await page.setContent(pageOf({ ...dashboard, panels }, { start, end }));
  const picture = await page.screenshot({ fullPage: true });
  writeFileSync(join(folder, name.replace('.json', '.png')), picture);
  await page.close();
  const empty = panels.filter(({ targets, series }) => targets && series.length === 0);
  process.stdout.write(
    `${dashboard.title}: ${panels.length} panels, without data: ` +
      `${empty.map(({ title }) => title).join(', ') || 'none'}\n`,
  );
}
await browser.close();
