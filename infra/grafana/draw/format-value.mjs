/**
 * A figure in Grafana's unit, as short as it shows it.
 *
 * @param {number} value
 * @param {string} unit Grafana's name of it
 */
export function formatValue(value, unit) {
  if (Number.isNaN(value)) return '—';
  if (!Number.isFinite(value)) return '∞';
  if (unit === 'percentunit') return `${(value * 100).toFixed(value > 0 && value < 0.1 ? 1 : 0)} %`;
  if (unit === 'bool_yes_no') return value ? 'Yes' : 'No';
  if (unit === 'bool_on_off') return value ? 'On' : 'Off';
  if (unit === 's') return formatSeconds(value);
  if (unit === 'bytes') return `${scaled(value, 1024)}B`;
  const suffix = unit.startsWith('suffix: ') ? ` ${unit.slice('suffix: '.length)}` : '';
  return `${scaled(value, 1000).trim()}${suffix}`;
}

/** @param {number} value @param {number} by */
function scaled(value, by) {
  const prefixes = ['', 'k', 'M', 'G', 'T'];
  let [n, at] = [value, 0];
  for (; Math.abs(n) >= by && at < prefixes.length - 1; at++) n /= by;
  return `${Number(n.toPrecision(3))} ${prefixes[at]}`;
}

/** @param {number} seconds */
function formatSeconds(seconds) {
  const [size, sign] = [Math.abs(seconds), seconds < 0 ? '−' : ''];
  if (size >= 5400) return `${sign}${(size / 3600).toFixed(1)} h`;
  if (size >= 90) return `${sign}${(size / 60).toFixed(1)} min`;
  if (size >= 1 || size === 0) return `${sign}${Number(size.toPrecision(3))} s`;
  return `${sign}${Number((size * 1000).toPrecision(3))} ms`;
}
