// @ts-check

/**
 * The first column to the left, the others to the right. A row of two cells is a name and a remark,
 * which may be of any width.
 *
 * @param {string[][]} rows
 */
export function alignColumns(rows) {
  const widths = rows.reduce(
    (/** @type {number[]} */ widest, row) =>
      row.length < 3 ? widest : row.map((cell, n) => Math.max(cell.length, widest[n] ?? 0)),
    [],
  );
  const nameWidth = Math.max(...rows.map(([name = '']) => name.length));
  return rows
    .map(([name = '', ...cells]) =>
      ['', name.padEnd(nameWidth), ...cells.map((cell, n) => cell.padStart(widths[n + 1] ?? 0))]
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Three significant digits, and all of them before the point. @param {number} value */
export function formatNumber(value) {
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return Number(value.toPrecision(3)).toString();
}
