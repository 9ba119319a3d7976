import { addCounts, type Counts } from '../counts.ts';
import { measureManifest } from '../manifest.ts';
import { findRepeated, type Repeated } from '../repeated-captions.ts';
import { ReviewCheck } from '../reviews/verify-reviews.ts';
import { ledgerStretches, type Run, type Summary3 } from '../run.ts';
import { type RunState, readRunState } from '../run-state.ts';
import type { RunStore } from '../run-store.ts';
import { compareCounts, compareRepeated, type Report } from './compare-counts.ts';
import { verifyChunk } from './verify-chunk.ts';

/** What `verifyRun` held against each other. */
export interface Verification {
  /** One line each; none where all is well. */
  problems: string[];
  images: number;
  parts: number;
  /** Of chunks that are compacted. */
  files: number;
  chunks: number;
  /** Decisions of people. */
  decisions: number;
}

/**
 * Recomputes a finished run from the output store alone: every key of the manifest has exactly one
 * row that counts, every part is the one that its ledger hashed, every total is the sum of what it
 * is a total of. What people decided is about images and captions that are there.
 *
 * @param onProblem is told of each as it is found.
 * @throws UserError where there is no such run
 */
export async function verifyRun(
  runStore: RunStore,
  onProblem: (problem: string) => void = () => {},
): Promise<Verification> {
  const problems: string[] = [];
  const report = (problem: string) => {
    problems.push(problem);
    onProblem(problem);
  };
  const state = await readRunState(runStore);
  const { summary } = state;
  const manifest = await measureManifest(runStore, state.claims); // and not as the summary says it
  if (!summary) report(unfinished(state));
  if (manifest.images === null)
    report('the listing is not complete: there is no manifest/end.json');

  const reviews = await ReviewCheck.read(runStore, report);
  const ledgers = await runStore.listLedgers();
  const counts: (Counts & { repeated?: Repeated | undefined })[] = [];
  let [parts, files] = [0, 0];
  for (let chunk = 0; chunk < manifest.chunks; chunk++) {
    const verified = await verifyChunk(runStore, state, chunk, ledgers.get(chunk), {
      report,
      onRow: (row) => reviews.see(row),
    });
    counts.push(verified.counts);
    parts += verified.parts;
    files += verified.files;
  }
  if (ledgers.size === manifest.chunks) reviews.finish();
  const totals = addCounts(counts);
  if (manifest.images !== null && totals.images !== manifest.images) {
    report(`the manifest says ${manifest.images} images, its chunks have ${totals.images}`);
  }
  if (summary) {
    compareCounts('summary.json', summary, totals, report);
    compareRepeated('summary.json', summary.repeated ?? [], findRepeated(counts), report);
    if (summary.parts !== parts) {
      report(`summary.json: parts is ${summary.parts}, the ledgers name ${parts}`);
    }
    if (summary.format === 3) compareSizes(summary, state.run, ledgers, report);
    if (summary.chunks !== manifest.chunks) {
      report(`summary.json: chunks is ${summary.chunks}, the manifest has ${manifest.chunks}`);
    }
  }
  const { decisions } = reviews;
  return { problems, images: totals.images, parts, files, chunks: manifest.chunks, decisions };
}

function compareSizes(
  summary: Summary3,
  run: Run,
  ledgers: ReadonlyMap<number, number>,
  report: Report,
): void {
  for (const field of ['batchSize', 'chunkBatches'] as const) {
    if (summary[field] !== run[field]) {
      report(`summary.json: ${field} is ${summary[field]}, run.json says ${run[field]}`);
    }
  }
  const inOrder = [...ledgers].toSorted(([a], [b]) => a - b);
  const latest = ledgerStretches(inOrder.map(([, generation]) => generation));
  if (JSON.stringify(summary.ledgers) !== JSON.stringify(latest)) {
    report('summary.json names other ledgers than the latest of each chunk');
  }
}

function unfinished({ isCancelled, lastSummary }: RunState): string {
  if (isCancelled) return 'the run was cancelled and is not finished';
  if (lastSummary) return 'the run goes on: summary.json is of an older generation';
  return 'the run is not finished: there is no summary.json';
}
