import { UserError } from '@cutline/shared/errors';
import { type Run, type RunStore, runSchema } from '@cutline/shared/run';
import type { StorePool } from '@cutline/shared/stores';
import { papersOf, papersPath } from '../results/index.ts';

/**
 * The papers of a file that rows are about to be written to: begun, or gone on with if what is
 * asked for is what was asked for.
 *
 * @param hasRows whether there is something in the file
 * @returns whether they were begun just now
 * @throws UserError where they are about other captions
 */
export async function takeUpPapers(
  file: string,
  { request, stores, hasRows }: { request: Run; stores: StorePool; hasRows: boolean },
): Promise<{ papers: RunStore; isNew: boolean }> {
  const unnamed = await papersOf(file, stores);
  const known = await unnamed.readObject('run.json', runSchema);
  if (known) {
    const other = difference(known, request);
    if (other === undefined)
      return { papers: await papersOf(file, stores, known.run), isNew: false };
    if (hasRows) {
      throw new UserError(`${file} has ${other}: choose another file, or ask for the same.`);
    }
    if (!(await isAlone(unnamed))) {
      throw new UserError(
        `${papersPath(file)} has ${other}, with reviews or records of sidecars: move it away, or ` +
          'choose another file.',
      );
    }
    await unnamed.store.delete(`${unnamed.prefix}run.json`);
  }
  const papers = await papersOf(file, stores, request.run);
  await papers.createRun(request);
  return { papers, isNew: true };
}

/** Whether there is nothing but what was asked for. */
async function isAlone({ store, prefix }: RunStore): Promise<boolean> {
  for await (const { key } of store.list(prefix)) if (key !== `${prefix}run.json`) return false;
  return true;
}

/** What two requests would see differently in one image; undefined where that is nothing. */
function difference(known: Run, request: Run): string | undefined {
  if (known.model !== request.model) {
    return `captions of ${known.model}, and this is ${request.model}`;
  }
  if (known.source.store !== request.source.store) {
    return `captions of the images in ${known.source.store}, and these are in ${request.source.store}`;
  }
  const [before, now] = [settingsOf(known), settingsOf(request)];
  for (const name of new Set([...Object.keys(before), ...Object.keys(now)])) {
    if (before[name] === now[name]) continue;
    return `captions with ${settingOf(name, before)}, and this command has ${settingOf(name, now)}`;
  }
  return undefined;
}

function settingsOf({ options, featureType = 'float16', selection }: Run): Record<string, unknown> {
  return { ...options, featureType, carry: selection.carry?.join(',') };
}

/** `--carry id,title`, `no --carry` */
function settingOf(name: string, settings: Record<string, unknown>): string {
  const value = settings[name];
  return value === undefined ? `no ${flagOf(name)}` : `${flagOf(name)} ${value}`;
}

/** `lengthMax` → `--length-max` */
function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
