// @ts-check

/** @import { Played } from './simulate.mjs' */

/**
 * What was played, as two pictures above each other: images left, and workers of both pools.
 *
 * @param {string} title
 * @param {{ name: string, played: Played }[]} rows
 * @returns {string} SVG
 */
export function plot(title, rows) {
  const [width, rowHeight, left, right] = [880, 190, 92, 16];
  const height = 48 + rows.length * rowHeight;
  const charts = rows.map(({ name, played: { moments } }, n) => {
    const top = 56 + n * rowHeight;
    const end = moments.at(-1)?.at ?? 1;
    const x = (/** @type {number} */ at) => left + ((width - left - right) * at) / end;
    const chart = (
      /** @type {number} */ y0,
      /** @type {number} */ tall,
      /** @type {{ label: string, series: { values: number[], style: string }[] }} */ of,
    ) => {
      const most = Math.max(1, ...of.series.flatMap(({ values }) => values));
      const y = (/** @type {number} */ value) => y0 + tall - (tall * value) / most;
      const lines = of.series.map(({ values, style }) => {
        const points = values.map((value, i) => {
          const at = moments[i]?.at ?? 0;
          return `${x(at).toFixed(1)},${y(value).toFixed(1)}`;
        });
        return `<polyline class="${style}" points="${points.join(' ')}"/>`;
      });
      return (
        `<line class="axis" x1="${left}" y1="${y0 + tall}" x2="${width - right}" y2="${y0 + tall}"/>` +
        `<text class="end" x="${left - 8}" y="${y0 + 10}">${format(most)}</text>` +
        `<text class="end small" x="${left - 8}" y="${y0 + 24}">${of.label}</text>${lines.join('')}`
      );
    };
    const pool = (/** @type {'encode' | 'decode'} */ stage) =>
      moments.map(({ workers }) => workers[stage]);
    const images = { values: moments.map((moment) => moment.left), style: 'images' };
    const days = Array.from({ length: Math.floor(end / 86_400) + 1 }, (_, day) => day);
    const ticks = days.map(
      (day) => `<text class="small" x="${x(day * 86_400)}" y="${top + 158}">day ${day}</text>`,
    );
    return (
      `<text x="${left}" y="${top - 6}">${name}</text>` +
      chart(top, 70, { label: 'images left', series: [images] }) +
      chart(top + 82, 62, {
        label: 'workers',
        series: [
          { values: pool('encode'), style: 'encode' },
          { values: pool('decode'), style: 'decode' },
        ],
      }) +
      ticks.join('')
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">
<title>${title}</title>
<style>
  svg { background: #fcfbf8; font: 12px system-ui, sans-serif; } text { fill: #1f1c19; }
  .small { fill: #6b655c; font-size: 10px; } .end { text-anchor: end; }
  .axis { stroke: #e3ded5; } polyline { fill: none; stroke-width: 1.5; stroke-linejoin: round; }
  .images { stroke: #1f1c19; } .encode { stroke: #8a4a2f; } .decode { stroke: #6b8f9c; }
</style>
<text x="${left}" y="22" font-size="15">${title}</text>
<text x="${width - right}" y="22" class="end"><tspan fill="#8a4a2f">encoders</tspan>  <tspan fill="#6b8f9c">decoders</tspan></text>
${charts.join('\n')}
</svg>
`;
}

/** @param {number} n */
function format(n) {
  if (n >= 1e6) return `${Number((n / 1e6).toPrecision(3))} million`;
  return Math.round(n).toLocaleString('en-GB');
}
