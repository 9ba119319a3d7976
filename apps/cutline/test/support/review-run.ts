/** A review of a run, opened as the command opens it; and photographs for it. */
import { readFile } from 'node:fs/promises';
import {
  type Draw,
  type PartRow,
  ReviewLog,
  ReviewReader,
  type RunStore,
  readRunState,
} from '@cutline/shared/run';
import { MemoryStore, type ObjectStore } from '@cutline/shared/stores';
import { RunResults } from '../../dist/results/index.js';
import { ImageIndex, Previews, ReviewSession, serveReview } from '../../dist/review/index.js';
import { photographPath } from '../gallery-rows.ts';

/** The photographs that rows are about, under their keys; any row's by one of them. */
export async function photographStore(rows: readonly PartRow[]): Promise<MemoryStore> {
  const store = new MemoryStore('s3://archive');
  for (const { key } of rows) {
    if (!key.startsWith('photographs/')) continue;
    await store.put(key, await readFile(photographPath({ key })));
  }
  return store;
}

export interface OpenReview {
  url: string;
  session: ReviewSession;
  errors: unknown[];
  close(): Promise<void>;
}

/** As the command opens it. */
export async function openReview(
  run: RunStore,
  source: ObjectStore,
  options: { who?: string; draw?: Draw; only?: number; now?: () => Date } = {},
): Promise<OpenReview> {
  const { who = 'anna', now = () => new Date() } = options;
  const state = await readRunState(run);
  const reader = new ReviewReader(run);
  await reader.refresh();
  const session = new ReviewSession({
    ...{ run: run.run, model: state.run.model, who, reader, now },
    index: await ImageIndex.read(new RunResults(run, state), () => {}),
    log: new ReviewLog(run, who, now),
    draw: options.draw,
    only: options.only,
  });
  const errors: unknown[] = [];
  const server = await serveReview({
    session,
    previews: new Previews(source),
    port: 0,
    allowedHosts: [],
    onError: (error) => errors.push(error),
  });
  return { url: server.url, session, errors, close: () => server.close() };
}
