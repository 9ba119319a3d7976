import { defaultBundleFolder } from '@cutline/inference';
import {
  countListing,
  observeQueues,
  outputLocation,
  produceRun,
  RedisFeatures,
  realWorld,
  requestRun,
  resultsPrefix,
  type StartedRun,
} from '@cutline/pipeline';
import { UserError } from '@cutline/shared/errors';
import {
  addSettings,
  Closers,
  createCommand,
  createLogger,
  type Logger,
  Metrics,
  openHttpPort,
  readSettings,
  refuseUnknownVariables,
  runProgram,
  type Settings,
  storeConfig,
  untilStopped,
} from '@cutline/shared/process';
import { addRunFlags, type RunFlags } from '@cutline/shared/run';
import { StorePool } from '@cutline/shared/stores';
import { Argument } from 'commander';

const settingNames = ['redis', 'model', 'httpPort', 'httpHost', 's3PathStyle', 'logLevel'] as const;

type ProducerSettings = Settings<(typeof settingNames)[number]>;
type ProducerFlags = RunFlags & { resume?: boolean };

await runProgram('producer', async () => {
  refuseUnknownVariables(process.env);
  const command = createCommand(
    'producer',
    'Lists images, writes the manifest, enqueues them, and sees the run to its end.',
  )
    .addArgument(
      new Argument(
        '[source]',
        'images: s3://bucket/prefix or a folder (env: CUTLINE_SOURCE)',
      ).default(process.env.CUTLINE_SOURCE),
    )
    .option('--resume', 'go on with the run named by --run, from its manifest and parts');
  addSettings(addRunFlags(command), settingNames).parse();
  const settings = readSettings(command.opts(), settingNames);
  const flags = command.opts<ProducerFlags>();
  const source: string | undefined = command.processedArgs[0];

  const log = createLogger({ process: 'producer', level: settings.logLevel });
  const closers = new Closers();
  const { stopped } = untilStopped();
  const stores = new StorePool(storeConfig(settings));
  closers.add('stores', () => stores.close());
  const program = flags.dryRun
    ? dryRun(source, flags, settings, stores)
    : run(source, flags, settings, { stores, closers, log });
  const stop = await Promise.race([program, stopped]).finally(() => closers.closeAll(log));
  if (stop && 'signal' in stop) {
    log.warn('stopped before the end: go on with "cutline resume"');
    process.exit(stop.signal === 'SIGINT' ? 130 : 143);
  }
});

/** Prints what a run would list, and writes nothing. */
async function dryRun(
  sourceText: string | undefined,
  flags: ProducerFlags,
  settings: ProducerSettings,
  stores: StorePool,
): Promise<void> {
  const { source, selection } = await requestRun(sourceText, flags, bundleFolder(settings));
  const store = await stores.open(source.store);
  await store.check();
  const exceptPrefix = flags.output ? resultsPrefix(source, outputLocation(flags)) : undefined;
  const counts = await countListing({ store, prefix: source.prefix }, selection, {
    exceptPrefix,
    onExcluded: (keys) => void process.stderr.write(`${describeExcluded(keys, exceptPrefix)}\n`),
    stores,
  });
  process.stdout.write(`${JSON.stringify(counts)}\n`);
}

/** Starts or resumes a run, sees it to its end, and prints its summary as one JSON line. */
async function run(
  sourceText: string | undefined,
  flags: ProducerFlags,
  settings: ProducerSettings,
  { stores, closers, log }: { stores: StorePool; closers: Closers; log: Logger },
): Promise<void> {
  const stores = openStores(settings, closers, log);
  const output = outputLocation(flags);
  await createOutputFolder(output.store);
  const outputStore = await stores.open(output.store);
  await outputStore.check();
  const redis = await connectRedis(settings.redis);
  closers.add('Redis', () => redis.disconnect());
  logOutages(redis, log);
  const queues = openQueues(redis);
  closers.add('queues', () => closeQueues(queues));

  const open = (name: string) => new RunStore(outputStore, output.prefix, name);
  const request = flags.resume ? undefined : await newRun(sourceText, flags, settings, open);
  const runStore = open(request?.run ?? nameToResume(flags));
  const lock = await lockRun(redis, runStore.run);
  closers.add('lock', lock.release);
  // Read under the lock: whoever had it before has counted generations.
  const run = request ?? (await nextGeneration(runStore));
  const sourceStore = await stores.open(run.source.store);
  await sourceStore.check();
  const { keysFrom } = run.selection;
  if (run.images === null && keysFrom !== null)
    await requireKeysList(keysFrom, sourceStore, stores);

  const metrics = new Metrics({ processMetrics: true });
  const summary = await produceRun({
    what: flags.resume
      ? { resume: nameToResume(flags) }
      : { begin: await requestRun(sourceText, flags, bundleFolder(settings)) },
    output: outputLocation(flags),
    redisUrl: settings.redis,
    stores,
    window: flags.window,
    metrics,
    log,
    closers,
    async onStarted(started) {
      const httpPort = await serveMetrics(started, metrics, settings, stores, closers);
      log.info({ httpPort }, 'serving metrics');
    },
  });
  process.stdout.write(`${JSON.stringify(summary)}\n`);
}

async function serveMetrics(
  { redis, queues }: StartedRun,
  metrics: Metrics,
  settings: ProducerSettings,
  stores: StorePool,
  closers: Closers,
): Promise<number> {
  const features = new RedisFeatures(redis, { ttlMs: 1, world: realWorld });
  const http = await openHttpPort({
    host: settings.httpHost,
    port: settings.httpPort,
    metrics,
    beforeScrape: () => observeQueues(metrics, { redis, queues, features }),
    unhealthy: () => undefined,
    ready: async () => {
      await Promise.all([redis.ping(), stores.check()]);
    },
  });
  closers.add('http', () => http.close());

  await runStore.writeRun(run);
  await runStore.deleteSummary();
  log.info({ run: run.run, results: runStore.url, httpPort: http.port }, 'producing');
  const source = { store: sourceStore, prefix: run.source.prefix };
  const exceptPrefix = resultsPrefix(run.source, output);
  const { images, batchSize } = run;
  const onExcluded = (keys: number) => log.info(describeExcluded(keys, exceptPrefix));
  const listingOptions = { exceptPrefix, onExcluded, stores };
  const listing =
    images === null ? await resumeListing(runStore, run, source, listingOptions) : undefined;
  const manifest =
    images === null ? new ManifestProgress() : ManifestProgress.complete({ images, batchSize });
  const { window } = flags;
  const context = { runStore, run, output, queues, redis, manifest, window, listing, metrics, log };
  const summary = await Promise.race([produce(context), lock.lost]);
  log.info({ run: run.run, captioned: summary.captioned, failed: summary.failed }, 'run finished');
  process.stdout.write(`${JSON.stringify(summary)}\n`);
}

async function newRun(
  sourceText: string | undefined,
  flags: ProducerFlags,
  settings: ProducerSettings,
  open: (name: string) => RunStore,
): Promise<Run> {
  const run = await requestRun(sourceText, flags, bundleFolder(settings));
  const runStore = open(run.run);
  if (await runStore.exists()) {
    throw new UserError(
      `There is a run "${run.run}" already at ${runStore.url}. Choose another --run, or go on ` +
        `with it: cutline resume ${run.run}`,
    );
  }
  return run;
}

function nameToResume(flags: ProducerFlags): string {
  if (!flags.run) throw new UserError('Say which run to resume: --run <name>.');
  return flags.run;
}

async function nextGeneration(runStore: RunStore): Promise<Run> {
  const run = await runStore.readRun();
  return { ...run, generation: run.generation + 1 };
}

function describeExcluded(keys: number, prefix: string | undefined): string {
  return `left out of the listing: ${keys} results of runs below ${JSON.stringify(prefix)}`;
}

/** A missing folder is made; a missing parent is more likely a disk that is not mounted. */
async function createOutputFolder(storeUrl: string): Promise<void> {
  if (storeUrl.startsWith('file:')) await mkdir(new URL(storeUrl)).catch(() => {});
}

function openStores(settings: ProducerSettings, closers: Closers, log?: Logger): StorePool {
  const onNotice = (text: string) => log?.warn(text);
  const stores = new StorePool({ ...storeConfig(settings), onNotice });
  closers.add('stores', () => stores.close());
  return stores;
}

function bundleFolder(settings: ProducerSettings): string {
  return settings.model ?? defaultBundleFolder();
}
