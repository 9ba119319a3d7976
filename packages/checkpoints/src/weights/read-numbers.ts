/** From bytes in a file to float32 in memory, holding little besides the result. */
import { constants } from 'node:buffer';
import { UserError } from '@cutline/shared/errors';
import type { RangeFile } from '../files/range-file.ts';
import type { NumberType } from './number-type.ts';

/** A multiple of the size of every type. */
const chunkBytes = 4 * 1024 * 1024;

/**
 * `count` numbers that lie one after another from `offset` on. Takes their bytes as float32 and
 * 4 MiB besides.
 *
 * @param onBytes is given the bytes as they lie in the file, in order.
 * @throws UserError when the type is not one of weights, or the file does not hold them.
 */
export async function readNumbers(
  file: RangeFile,
  tensor: string,
  type: NumberType,
  offset: number,
  count: number,
  onBytes?: (bytes: Uint8Array) => void,
): Promise<Float32Array<ArrayBuffer>> {
  const widen = wideningOf(file, tensor, type);
  const numbers = allocate(file, tensor, count);
  if (type.name === 'float32') {
    const bytes = new Uint8Array(numbers.buffer);
    for (let begin = 0; begin < bytes.length; begin += chunkBytes) {
      const chunk = bytes.subarray(begin, begin + chunkBytes);
      await file.readInto(chunk, offset + begin);
      onBytes?.(chunk);
    }
    return numbers;
  }
  const chunkCount = chunkBytes / type.bytes;
  for (let begin = 0; begin < count; begin += chunkCount) {
    const chunk = numbers.subarray(begin, begin + chunkCount);
    const raw = await file.read(offset + begin * type.bytes, chunk.length * type.bytes);
    onBytes?.(raw);
    widen(raw, chunk);
  }
  return numbers;
}

/**
 * Numbers that do not lie one after another: dimension i of the result goes forward by `strides[i]`
 * numbers. Takes what lies between the first and the last of them, as float32, besides the result.
 *
 * @param offset of the first number, in bytes. All strides are at least 0.
 * @throws UserError as `readNumbers`.
 */
export async function gatherNumbers(
  file: RangeFile,
  tensor: string,
  type: NumberType,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
): Promise<Float32Array<ArrayBuffer>> {
  const source = await readNumbers(file, tensor, type, offset, spanOf(shape, strides));
  const numbers = allocate(
    file,
    tensor,
    shape.reduce((product, size) => product * size, 1),
  );
  const index = shape.map(() => 0);
  for (let i = 0, at = 0; i < numbers.length; i++) {
    numbers[i] = source[at] as number;
    // Goes on to the next index, as an odometer does, the last dimension first.
    for (let d = shape.length - 1; d >= 0; d--) {
      const size = shape[d] as number;
      const stride = strides[d] as number;
      const next = (index[d] as number) + 1;
      at += stride;
      index[d] = next;
      if (next < size) break;
      at -= size * stride;
      index[d] = 0;
    }
  }
  return numbers;
}

/** From the first number to behind the last one; 0 where there are none. */
export function spanOf(shape: readonly number[], strides: readonly number[]): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((last, size, d) => last + (size - 1) * (strides[d] as number), 1);
}

function wideningOf(file: RangeFile, tensor: string, type: NumberType) {
  if (type.widen) return type.widen;
  throw new UserError(
    `${file.path}: ${tensor} is of ${type.name}. Tensors of float32, float16, bfloat16 and ` +
      'float64 can be read.',
  );
}

function allocate(file: RangeFile, tensor: string, count: number): Float32Array<ArrayBuffer> {
  return new Float32Array(allocatable(file, tensor, count * 4) / 4);
}

function allocatable(file: RangeFile, tensor: string, bytes: number): number {
  if (bytes <= constants.MAX_LENGTH) return bytes;
  throw new UserError(
    `${file.path}: ${tensor} takes ${bytes} bytes in memory, and Node.js holds ` +
      `${constants.MAX_LENGTH} at most in one piece.`,
  );
}
