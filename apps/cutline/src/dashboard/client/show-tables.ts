/** Queues and workers, a row each. */
import { byId, make } from '../../loopback/client/elements.ts';
import { formatCount, formatRate, formatSeconds } from './format.ts';
import type { QueueSeen, WorkerSeen } from './messages.ts';

interface Column<T> {
  name: string;
  text: (row: T) => string;
  isNumber?: boolean;
  isTrouble?: (row: T) => boolean;
}

const queueColumns: Column<QueueSeen>[] = [
  { name: 'stage', text: ({ stage }) => stage },
  { name: 'waiting', text: ({ waiting }) => formatCount(waiting), isNumber: true },
  { name: 'in hand', text: ({ active }) => formatCount(active), isNumber: true },
  { name: 'delayed', text: ({ delayed }) => formatCount(delayed), isNumber: true },
  {
    ...{ name: 'refused', text: ({ refused }) => formatCount(refused), isNumber: true },
    isTrouble: ({ refused }) => refused > 0,
  },
  {
    ...{ name: 'next waits', isNumber: true },
    text: ({ waiting, oldestSeconds }) => (waiting > 0 ? formatSeconds(oldestSeconds) : '—'),
  },
  {
    ...{ name: 'workers', text: ({ workers }) => formatCount(workers), isNumber: true },
    isTrouble: ({ waiting, workers }) => waiting > 0 && workers === 0,
  },
  { name: 'model', text: ({ model }) => model },
];

/** A worker tells of itself every ten seconds; one that has not for so long may be gone. */
const silentSecondsMax = 35;

const workerColumns: Column<WorkerSeen>[] = [
  { name: 'worker', text: ({ program }) => program },
  { name: 'rate', text: ({ rate }) => formatRate(rate), isNumber: true },
  { name: 'images', text: ({ images }) => formatCount(images), isNumber: true },
  { name: 'in hand', text: ({ inHand }) => formatCount(inHand), isNumber: true },
  {
    ...{ name: 'last sign', isNumber: true },
    text: ({ silentSeconds }) => `${formatSeconds(silentSeconds)} ago`,
    isTrouble: ({ silentSeconds }) => silentSeconds > silentSecondsMax,
  },
  { name: 'machine', text: ({ host, pid }) => `${host}, process ${pid}` },
  { name: 'computes with', text: ({ backend }) => backend },
  { name: 'version', text: ({ version }) => version },
  { name: 'model', text: ({ model }) => model },
];

export function showQueues(queues: readonly QueueSeen[]): void {
  byId('no-queues').hidden = queues.length > 0;
  fill(byId<HTMLTableElement>('queues'), queueColumns, queues);
}

export function showWorkers(workers: readonly WorkerSeen[]): void {
  byId('no-workers').hidden = workers.length > 0;
  fill(byId<HTMLTableElement>('workers'), workerColumns, workers);
}

function fill<T>(table: HTMLTableElement, columns: Column<T>[], rows: readonly T[]): void {
  table.hidden = rows.length === 0;
  const names = columns.map(({ name, isNumber }) =>
    make('th', { textContent: name, className: isNumber ? 'n' : '' }),
  );
  for (const name of names) name.scope = 'col';
  const body = rows.map((row) =>
    make(
      'tr',
      {},
      ...columns.map(({ text, isNumber, isTrouble }) =>
        make('td', {
          textContent: text(row),
          className: [isNumber && 'n', isTrouble?.(row) && 'is-trouble'].filter(Boolean).join(' '),
        }),
      ),
    ),
  );
  table.replaceChildren(make('thead', {}, make('tr', {}, ...names)), make('tbody', {}, ...body));
}
