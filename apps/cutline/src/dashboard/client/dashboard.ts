/** The page of a dashboard: asks every two seconds, and shows what it is told. */
import { ApiError, post } from '../../loopback/client/api.ts';
import { byId, figure } from '../../loopback/client/elements.ts';
import { formatBytes } from './format.ts';
import type { Overview, Seen } from './messages.ts';
import { showRuns } from './show-runs.ts';
import { showQueues, showWorkers } from './show-tables.ts';

const everyMs = 2_000;

async function look(): Promise<void> {
  try {
    const { seen, contact } = await post<Overview>('/api/overview');
    if (seen) show(seen);
    showTrouble(seen ? troubleOf(seen) : silenceOf(contact), !seen);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    showTrouble(error.message, true);
  } finally {
    setTimeout(look, everyMs);
  }
}

function show({ redis, featureBytes, runs, queues, workers }: Seen): void {
  const { usedBytes, limitBytes } = redis;
  const limit = limitBytes === null ? '' : ` of ${formatBytes(limitBytes)}`;
  byId('redis').replaceChildren(
    figure('memory of Redis', `${formatBytes(usedBytes)}${limit}`),
    figure('features in flight', formatBytes(featureBytes)),
  );
  showRuns(runs);
  showQueues(queues);
  showWorkers(workers);
}

function troubleOf({ redis }: Seen): string {
  return redis.isWritable ? '' : 'Redis takes no writes: it is full, or a replica.';
}

function silenceOf(contact: string | undefined): string {
  if (!contact) return 'Redis does not answer.';
  return `Redis does not answer. This is what it said at ${new Date(contact).toLocaleTimeString()}.`;
}

function showTrouble(text: string, isStale: boolean): void {
  const trouble = byId('trouble');
  if (trouble.textContent !== text) trouble.textContent = text; // announced once
  trouble.hidden = text === '';
  byId('main').classList.toggle('is-stale', isStale);
}

void look();
