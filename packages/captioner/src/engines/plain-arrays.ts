/** Plain arrays that hold tensors: what goes into engines and comes out. */
import { elementCount } from '../weights.ts';

/** @throws RangeError when an argument does not have as many elements as its shape. */
export function checkLength(
  name: string,
  values: { length: number },
  shape: readonly number[],
): void {
  if (values.length !== elementCount(shape)) {
    throw new RangeError(
      `${name} [${shape}] should have ${elementCount(shape)} values, and has ${values.length}`,
    );
  }
}

/** `[rows,...]` as an array a row. */
export function rowsOf(values: Float32Array, rows: number): Float32Array[] {
  const length = values.length / rows;
  return Array.from({ length: rows }, (_, row) => values.slice(row * length, (row + 1) * length));
}

/**
 * Rows `kept` of `values [rows,...]`, none before its place, moved to its beginning: nothing is
 * allocated, and what is in its place stays there.
 */
export function keepRows(values: Float32Array, rows: number, kept: Int32Array): Float32Array {
  const length = values.length / rows;
  for (const [place, row] of kept.entries()) {
    if (row !== place) values.copyWithin(place * length, row * length, (row + 1) * length);
  }
  return values.subarray(0, kept.length * length);
}
