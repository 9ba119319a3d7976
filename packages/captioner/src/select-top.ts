/**
 * The `count` largest values of each row of `x [rows,columns]`, largest first, of equals the lower
 * index. One pass: almost every value is smaller than the smallest that is kept, and costs one
 * comparison.
 */
export function selectTop(
  x: Float32Array,
  rows: number,
  columns: number,
  count: number,
): { values: Float32Array; indices: Int32Array } {
  if (count > columns) throw new RangeError(`the top ${count} of ${columns} values do not exist`);
  const values = new Float32Array(rows * count);
  const indices = new Int32Array(rows * count);
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    const first = row * count;
    for (let column = 0; column < columns; column++) {
      const value = x[start + column] as number;
      const full = column >= count;
      const last = first + (full ? count : column + 1) - 1;
      if (full && !(value > (values[last] as number))) continue;
      // Insert from the back; equals stay before the newcomer.
      let at = last;
      for (; at > first && (values[at - 1] as number) < value; at--) {
        values[at] = values[at - 1] as number;
        indices[at] = indices[at - 1] as number;
      }
      values[at] = value;
      indices[at] = column;
    }
  }
  return { values, indices };
}
