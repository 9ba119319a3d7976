import { batchNumber, numberIn } from './attempt.ts';
import { generationSuffix } from './claim.ts';

/**
 * Names, within a run's folder, of what a generation writes of a chunk: `ledger/000004.json`, and
 * `ledger/000004.3.json` of generation 3.
 */
export interface ChunkNames {
  nameOf(chunk: number, generation: number): string;
  /** The inverse; undefined for what Cutline did not call so. */
  parse(name: string): { chunk: number; generation: number } | undefined;
}

/** @param ending with its dot */
export function chunkNames(folder: string, ending: string): ChunkNames {
  const nameOf = (chunk: number, generation: number) =>
    `${folder}/${batchNumber(chunk)}${generationSuffix(generation)}${ending}`;
  return {
    nameOf,
    parse(name) {
      if (!name.startsWith(`${folder}/`) || !name.endsWith(ending)) return undefined;
      const match = /^([a-z]?\d+)(?:\.(\d+))?$/.exec(
        name.slice(folder.length + 1, name.length - ending.length),
      );
      if (!match) return undefined;
      const [chunk, generation] = [numberIn(match[1]!), Number(match[2] ?? 0)];
      return name === nameOf(chunk, generation) ? { chunk, generation } : undefined;
    },
  };
}
