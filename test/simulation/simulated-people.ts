import { withdrawSidecars } from '@cutline/pipeline';
import {
  type PartRow,
  type Run,
  type RunStore,
  type SidecarKind,
  sidecarKinds,
  sidecarRulesDefault,
} from '@cutline/shared/run';
import type { Draw } from './draw.ts';
import { short } from './simulated-archive.ts';
import { output, type SimulatedCutline } from './simulated-cutline.ts';
import { expectedCaption } from './simulated-model.ts';

/**
 * People who keep files of their own beside images, where sidecars would be, and write to them
 * while a run goes on. Whatever becomes of the run, their words have to stay as they wrote them.
 */
export class SimulatedPeople {
  /** What they wrote last, by key in the output store. */
  readonly #files = new Map<string, Buffer>();
  /** Of those, the ones that were written while the run went on. */
  readonly #late = new Set<string>();
  readonly #store: ReturnType<SimulatedCutline['store']>;
  #edits = 0;

  constructor(cutline: SimulatedCutline) {
    this.#store = cutline.store(output.store);
  }

  /** Before the run begins. Some say just what Cutline would. */
  async begin(keys: Iterable<string>, draw: Draw): Promise<void> {
    if (draw.chance(0.5)) return;
    for (const key of keys) {
      for (const kind of sidecarKinds) {
        if (key.length > 20 || !draw.chance(0.3)) continue;
        const isSame = kind === 'txt' && draw.chance(0.2);
        await this.#write(key, kind, isSame ? `${expectedCaption(key)}\n` : undefined);
      }
    }
  }

  /** In the middle of it, over whatever is there. */
  async edit(key: string, kind: SidecarKind): Promise<void> {
    this.#late.add(pathOf(key, kind));
    await this.#write(key, kind);
  }

  async #write(key: string, kind: SidecarKind, text = this.#words(kind)): Promise<void> {
    const bytes = Buffer.from(text);
    this.#files.set(pathOf(key, kind), bytes);
    await this.#store.put(pathOf(key, kind), bytes);
  }

  #words(kind: SidecarKind): string {
    this.#edits += 1;
    const words = `Grandmother at the lake, ${this.#edits}`;
    if (kind === 'txt') return words;
    if (kind === 'json') return JSON.stringify({ words });
    return (
      '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' +
      `<rdf:Description rdf:about="" xmlns:x="urn:x" x:words="${words}"/></rdf:RDF>`
    );
  }

  /** @param rows that count, of a run that is finished. */
  async judge(run: Run, rows: readonly PartRow[]): Promise<string[]> {
    const { existing } = run.sidecarRules ?? sidecarRulesDefault;
    const violations: string[] = [];
    for (const [path, bytes] of this.#files) {
      if (existing === 'replace' || (existing === 'merge' && path.endsWith('.xmp'))) continue;
      if (!(await this.#has(path, bytes))) violations.push(`${path}: somebody's words are gone`);
    }
    for (const row of rows) {
      if (row.status !== 'captioned') continue;
      for (const kind of run.sidecars) {
        const path = pathOf(row.key, kind);
        const isThere = (await this.#store.head(path)) !== undefined;
        if (isThere === (row.warnings?.some((each) => each.startsWith(`no .${kind} `)) ?? false)) {
          violations.push(`${short(path)} is there, or its warning, and not both`);
        }
        if (this.#late.has(path)) continue;
        const theirs = kind === 'xmp' && existing === 'merge' ? 'merged' : 'kept';
        const isTheirs = this.#files.has(path) && existing !== 'replace';
        const [said, due] = [row.sidecars?.[kind], isTheirs ? theirs : undefined];
        if (said !== due) violations.push(`${short(path)} was ${said ?? 'written'}, says its row`);
      }
    }
    return violations;
  }

  /** Once nothing goes on any more: what is left is what people wrote. */
  async judgeWithdrawal(run: Run, runStore: RunStore): Promise<string[]> {
    await withdrawSidecars(runStore);
    const violations: string[] = [];
    for await (const { key } of this.#store.list()) {
      if (key.startsWith('runs/') || key.startsWith('lists/') || this.#files.has(key)) continue;
      violations.push(`${short(key)} was not withdrawn`);
    }
    if (run.sidecarRules?.existing === 'replace') return violations;
    for (const [path, bytes] of this.#files) {
      if (await this.#has(path, bytes)) continue;
      violations.push(`${path} is not as it was before the run`);
    }
    return violations;
  }

  async #has(path: string, bytes: Buffer): Promise<boolean> {
    if (!(await this.#store.head(path))) return false;
    return (await this.#store.get(path)).bytes.equals(bytes);
  }
}

function pathOf(key: string, kind: SidecarKind): string {
  return `${output.prefix}${key}.${kind}`;
}
