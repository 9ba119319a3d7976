import { formatValue } from './format-value.mjs';

/**
 * A dashboard as a page: its panels in Grafana's grid of 24 columns, each with what it was answered.
 *
 * @typedef {{ name: string, labels: Record<string, string>, points: [number, number][] }} Series
 * @typedef {{ type: string, title: string, series: Series[], gridPos: { x: number, y: number, w: number, h: number }, fieldConfig?: any }} Panel
 * @typedef {{ start: number, end: number }} Range seconds since 1970
 */
const rowHeight = 27;
const colours = [
  '#8a4a2f',
  '#6b8f9c',
  '#a98b3a',
  '#5f6f52',
  '#8c5a7a',
  '#39617a',
  '#b0643f',
  '#777',
];

/** @param {{ title: string, panels: Panel[] }} dashboard @param {Range} range @returns {string} HTML */
export function pageOf({ title, panels }, range) {
  const from = new Date(range.start * 1000).toISOString().slice(0, 16).replace('T', ' ');
  const to = new Date(range.end * 1000).toISOString().slice(11, 16);
  return `<!doctype html><meta charset="utf-8"><title>${title}</title><style>${style}</style>
<h1>${title} <small>${from} to ${to} UTC</small></h1>
<main>${panels.map((panel) => panelOf(panel, range)).join('\n')}</main>`;
}

const style = `
body { margin: 0; padding: 14px 18px; background: #fcfbf8; color: #1f1c19; font: 13px system-ui, sans-serif; }
h1 { font-size: 18px; margin: 0 0 10px; } small, li, td { color: #6b655c; font-size: 11px; font-weight: 400; }
main { display: grid; grid-template-columns: repeat(24, 1fr); grid-auto-rows: ${rowHeight}px; gap: 8px; }
section { border: 1px solid #e3ded5; border-radius: 4px; padding: 6px 8px; overflow: hidden; background: #fff; }
section.row { border: 0; background: none; font-size: 15px; padding: 6px 0; }
h2 { font-size: 12px; font-weight: 600; margin: 0 0 4px; }
.value { font-size: 24px; } .value.many { font-size: 14px; line-height: 1.3; } .none { color: #b7b0a5; }
ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0 10px; margin: 2px 0 0; padding: 0; max-height: 42px; overflow: hidden; }
li i { display: inline-block; width: 8px; height: 8px; border-radius: 2px; margin-right: 4px; }
table { border-collapse: collapse; } td { padding: 1px 8px 1px 0; }
svg { display: block; } svg text { fill: #6b655c; font-size: 10px; }`;

/** @param {Panel} panel @param {Range} range */
function panelOf(panel, range) {
  const { type, title, gridPos, series, fieldConfig } = panel;
  const { x, y, w, h } = gridPos;
  const place = `grid-column: ${x + 1} / span ${w}; grid-row: ${y + 1} / span ${h}`;
  if (type === 'row') return `<section class="row" style="${place}">${escapeHtml(title)}</section>`;
  const { unit = 'short', thresholds } = fieldConfig?.defaults ?? {};
  const draw = { stat, table, timeseries: graph }[type] ?? graph;
  const height = h * rowHeight + (h - 1) * 8 - 80;
  const inside =
    series.length === 0
      ? '<div class="none">no data</div>'
      : draw(series, { unit, thresholds, range, width: w * 58 - 30, height });
  return `<section style="${place}"><h2>${escapeHtml(title)} <small>${unit.startsWith('suffix') ? escapeHtml(unit.slice(8)) : ''}</small></h2>${inside}</section>`;
}

/** @typedef {{ unit: string, thresholds: any, range: Range, width: number, height: number }} Drawn */

/** @param {Series[]} series @param {Drawn} drawn */
function stat(series, { unit, thresholds }) {
  const some = series.slice(0, 4);
  const values = some.map(({ name, points }) => {
    const last = points.at(-1)?.[1] ?? Number.NaN;
    const steps = (thresholds?.steps ?? []).filter(
      (/** @type {any} */ s) => s.value === null || last >= s.value,
    );
    const colour = { red: '#b3261e', orange: '#b86e00' }[steps.at(-1)?.color ?? ''] ?? '#2f6b45';
    const label = some.length > 1 ? `<small>${escapeHtml(name)}</small> ` : '';
    return `<div style="color: ${colour}">${label}${escapeHtml(formatValue(last, unit))}</div>`;
  });
  return `<div class="value${some.length > 1 ? ' many' : ''}">${values.join('')}</div>`;
}

/** @param {Series[]} series */
function table(series) {
  const rows = series.slice(0, 12).map(({ labels }) => {
    const { __name__: _, ...shown } = labels;
    return `<tr>${Object.values(shown)
      .map((text) => `<td>${escapeHtml(text)}</td>`)
      .join('')}</tr>`;
  });
  return `<table>${rows.join('')}</table>`;
}

/** @param {Series[]} series @param {Drawn} drawn */
function graph(series, { unit, range, width, height }) {
  const left = 62;
  const finite = series
    .flatMap(({ points }) => points.map(([, value]) => value))
    .filter(Number.isFinite);
  const most = Math.max(...finite, 0) || 1;
  const x = (/** @type {number} */ at) =>
    left + ((width - left) * (at - range.start)) / (range.end - range.start);
  const y = (/** @type {number} */ value) => 8 + (height - 14) * (1 - value / most);
  const lines = series.slice(0, 24).map(({ points }, n) => {
    const drawn = points.filter(([, value]) => Number.isFinite(value));
    const path = drawn.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
    return `<polyline points="${path}" fill="none" stroke="${colours[n % colours.length]}" stroke-width="1.5"/>`;
  });
  const shares = unit.startsWith('bool') ? [0, 1] : [0, 0.5, 1];
  const axis = shares.map(
    (share) =>
      `<line x1="${left}" x2="${width}" y1="${y(share * most)}" y2="${y(share * most)}" stroke="#eee9e0"/>` +
      `<text x="${left - 6}" y="${y(share * most) + 3}" text-anchor="end">${escapeHtml(formatValue(share * most, unit.startsWith('suffix') ? 'short' : unit))}</text>`,
  );
  const legend = series
    .slice(0, 8)
    .map(
      ({ name }, n) =>
        `<li><i style="background: ${colours[n % colours.length]}"></i>${escapeHtml(name)}</li>`,
    );
  return `<svg width="${width}" height="${height}">${axis.join('')}${lines.join('')}</svg><ul>${legend.join('')}</ul>`;
}

/** @param {string} text */
const escapeHtml = (text) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
