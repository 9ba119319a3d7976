/** What the page of a dashboard and its server tell each other. Bytes and seconds; rates a second. */

export interface Overview {
  /** undefined while Redis does not answer: the page then dims what it was told last. */
  seen?: Seen;
  /** When Redis answered last, ISO 8601; absent where it never has. */
  contact?: string;
}

export interface Seen {
  redis: { isWritable: boolean; usedBytes: number; limitBytes: number | null };
  /** Of features in flight. */
  featureBytes: number;
  /** Those that go on, the latest first, then the last that are finished. */
  runs: RunSeen[];
  queues: QueueSeen[];
  workers: WorkerSeen[];
}

export interface RunSeen {
  run: string;
  model: string;
  state: 'running' | 'without a producer' | 'finished';
  listed: number;
  isListed: boolean;
  encoded: number;
  captioned: number;
  skipped: number;
  failed: number;
  failedByClass: Record<string, number>;
  /** Images that had a result a second, over the last five minutes; null: no telling yet. */
  rate: number | null;
  /** Until all that is listed has a result; null: no telling, or it stands still. */
  secondsLeft: number | null;
  /** By when it should be done, in ms since 1970; null: nobody said so. */
  deadlineMs: number | null;
  /** Since the last batch. */
  idleSeconds: number;
  /** The stage that the others wait for. */
  bottleneck: 'list' | 'encode' | 'decode' | null;
}

/** Batches of one queue. */
export interface QueueSeen {
  model: string;
  stage: 'encode' | 'decode';
  waiting: number;
  active: number;
  delayed: number;
  refused: number;
  /** How long the next one has waited; 0 where none waits. */
  oldestSeconds: number;
  workers: number;
}

export interface WorkerSeen {
  program: string;
  host: string;
  pid: number;
  version: string;
  model: string;
  backend: string;
  images: number;
  inHand: number;
  /** Images a second, between its last two signs of life; null: no telling yet. */
  rate: number | null;
  silentSeconds: number;
}

/** What failed of a run, a few of each class. */
export interface Failures {
  examples: { class: string; key: string; message: string }[];
  /** Why there are none to be had, or of how many results they are; absent where it is of all. */
  note?: string;
}
