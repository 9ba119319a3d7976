import type { Draw } from './draw.ts';
import { output, type SimulatedCutline, sources } from './simulated-cutline.ts';
import { type ImageKind, imageBytes } from './simulated-model.ts';

/**
 * The images of a round: a few in a bucket, some of them damaged, some such that the model gives
 * them a score that is no number, some of a name so long that no sidecar can stand beside them, and
 * some that are there twice.
 * They are listed, or named by a list of keys, in which a key may stand several times, and which
 * says something of each that its row has to carry.
 */
export interface SimulatedArchive {
  kinds: ReadonlyMap<string, ImageKind>;
  /** Of images that are copies, the key of the one that they are copies of. */
  copies: ReadonlyMap<string, string>;
  /** How often each key has to be in the manifest. */
  listed: ReadonlyMap<string, number>;
  /** Where the list of keys is, if there is one. */
  keysFrom: string | null;
  /** Keys whose images were deleted or replaced meanwhile. */
  disturbed: Set<string>;
}

/** Draws an archive, and puts it into its bucket. */
export async function fillArchive(
  cutline: SimulatedCutline,
  draw: Draw,
): Promise<SimulatedArchive> {
  const source = cutline.store(sources[0]);
  const images = draw.count(1, 13);
  const kinds = new Map<string, ImageKind>();
  const copies = new Map<string, string>();
  for (let i = 0; i < images; i++) {
    const number = String(i).padStart(3, '0');
    const key = draw.chance(0.05) ? `${number}${'x'.repeat(1015)}.jpg` : `${number}.jpg`;
    const original = draw.chance(0.2) ? [...kinds.keys()][draw.count(0, i)] : undefined;
    if (original !== undefined) {
      const content = copies.get(original) ?? original;
      copies.set(key, content);
      kinds.set(key, kinds.get(content) as ImageKind);
      await source.put(key, imageBytes(content, kinds.get(key)));
      continue;
    }
    const drawn = draw.random();
    const kind = drawn < 0.1 ? 'corrupt' : drawn < 0.15 ? 'strange' : drawn < 0.2 ? 'text' : 'good';
    kinds.set(key, kind);
    await source.put(key, imageBytes(key, kind));
  }
  const keys = [...kinds.keys()];
  if (draw.chance(0.2)) {
    await source.put('notes.txt', Buffer.from('no image'));
    keys.push('notes.txt');
  }
  await cutline.store(sources[1]).put('000.jpg', imageBytes('another archive'));
  const disturbed = new Set<string>();
  if (draw.chance(0.75)) {
    return { kinds, copies, listed: countKeys(keys), keysFrom: null, disturbed };
  }
  const list = keys.flatMap((key) =>
    Array<string>(draw.chance(0.3) ? draw.count(2, 4) : 1).fill(key),
  );
  if (draw.chance(0.5)) list.sort(() => draw.random() - 0.5);
  const store = draw.chance(0.5) ? sources[0] : output.store;
  await cutline.store(store).put('lists/keys', Buffer.from(linesOf(list)));
  return { kinds, copies, listed: countKeys(list), keysFrom: `${store}/lists/keys`, disturbed };
}

/** What repeats of a key carry is partly the same. */
function linesOf(list: readonly string[]): string {
  return list.map((key, n) => `${JSON.stringify({ key, id: n % 3 })}\n`).join('');
}

function countKeys(list: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of list) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

/** For messages: some names are very long. */
export function short(key: string): string {
  return key.length <= 20 ? key : `${key.slice(0, 8)}…${key.slice(-8)}`;
}
