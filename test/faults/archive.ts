import type { FailureClass } from '@cutline/shared/errors';
import { sampleImages } from '../support/sample-images.ts';

/** What a round captions: small made images, and among them what is none. */

export type Kind = 'good' | Extract<FailureClass, 'corrupt' | 'unsupported' | 'empty'>;

export interface ArchivedImage {
  /** `good`, or the class in which it fails. */
  kind: Kind;
  bytes: Buffer;
  /** Images of one number are the same bytes under different keys. */
  sample: number;
}

/** Different pictures that there are; see `sampleImages`. */
export const samples = 16;

/** By key, in the order of a listing. A tenth of them at most are bad, unless it is said how many. */
export async function makeArchive(
  prefix: string,
  count: number,
  random: () => number,
  badShare = 0.01 + 0.09 * random(),
): Promise<Map<string, ArchivedImage>> {
  const archive = new Map<string, ArchivedImage>();
  for (const [key, good] of await sampleImages(count)) {
    const kind = random() < badShare ? badKinds[Math.floor(random() * badKinds.length)]! : 'good';
    archive.set(prefix + key, { kind, bytes: spoil(good, kind), sample: archive.size % samples });
  }
  return archive;
}

const badKinds = ['corrupt', 'unsupported', 'empty'] as const;

function spoil(good: Buffer, kind: Kind): Buffer {
  if (kind === 'corrupt') return good.subarray(0, good.length / 2);
  if (kind === 'unsupported') return Buffer.from('The photograph is in the other box.\n');
  return kind === 'empty' ? Buffer.alloc(0) : good;
}
