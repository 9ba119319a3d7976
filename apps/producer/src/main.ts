import { defaultBundleFolder, describeModel } from '@cutline/inference';
import {
  Exporter,
  FeatureBooks,
  listPrices,
  outputLocation,
  planOf,
  planUsage,
  produceRun,
  redisHome,
  requestRun,
  type StartedRun,
  surveyRun,
} from '@cutline/pipeline';
import { UserError } from '@cutline/shared/errors';
import {
  addSettings,
  Closers,
  createCommand,
  createLogger,
  type Logger,
  Metrics,
  noTracing,
  openHttpPort,
  openTracing,
  readSettings,
  refuseUnknownVariables,
  runService,
  type Settings,
  storeConfig,
  type Tracing,
  untilStopped,
} from '@cutline/shared/process';
import { addRunFlags, type RunFlags } from '@cutline/shared/run';
import { StorePool } from '@cutline/shared/stores';
import { Argument } from 'commander';

const settingNames = ['redis', 'model', 'httpPort', 'httpHost', 's3PathStyle', 'logLevel'] as const;

type ProducerSettings = Settings<(typeof settingNames)[number]>;
type ProducerFlags = RunFlags & { resume?: boolean; goOn?: boolean };

await runService('producer', async () => {
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
    .option('--resume', 'go on with the run named by --run, from its manifest and parts')
    .option(
      '--go-on',
      'go on where this very run was begun before: for a supervisor that starts it again',
    );
  addSettings(addRunFlags(command), settingNames).parse();
  const settings = readSettings(command.opts(), settingNames);
  const flags = command.opts<ProducerFlags>();
  const source: string | undefined = command.processedArgs[0];

  let tracing = noTracing;
  const log = createLogger({
    ...{ process: 'producer', level: settings.logLevel },
    fields: () => tracing.logFields(),
  });
  const closers = new Closers();
  tracing = await openTracing('cutline-producer', (message) => {
    log.warn({ error: message }, 'traces cannot be sent');
  });
  closers.add('traces', () => tracing.close());
  const { stopped } = untilStopped();
  const stores = new StorePool({
    ...storeConfig(settings),
    onNotice: (text) => log.warn(text),
  });
  closers.add('stores', () => stores.close());
  const program = flags.dryRun
    ? dryRun(source, flags, settings, { stores, log })
    : run(source, flags, settings, { stores, closers, tracing, log });
  const stop = await Promise.race([program, stopped]).finally(() => closers.closeAll(log));
  if (stop && 'signal' in stop) {
    log.warn('stopped before the end: go on with "cutline resume"');
    process.exit(stop.signal === 'SIGINT' ? 130 : 143);
  }
});

/** Prints what a run would list, and what that takes as far as it is known, and writes nothing. */
async function dryRun(
  source: string | undefined,
  flags: ProducerFlags,
  settings: ProducerSettings,
  { stores, log }: { stores: StorePool; log: Logger },
): Promise<void> {
  const run = await requestRun(source, flags, bundleFolder(settings));
  const model = await describeModel(bundleFolder(settings));
  const output = flags.output === undefined ? undefined : outputLocation(flags);
  const onNote = (text: string) => log.info(text);
  const surveyed = await surveyRun(run, { stores, output, tries: 0, seed: flags.seed, onNote });
  const { features, featureBytesMax } = readSettings({}, ['features', 'featureBytesMax']);
  const plan = planOf({
    ...{ run, window: flags.window, model, surveyed, trial: undefined, output: output?.store },
    ...{ workers: { captioners: 1 }, prices: listPrices, now: new Date() },
    features: { home: features, bytesMax: featureBytesMax },
  });
  const usage = planUsage(model, plan.survey.images);
  process.stdout.write(`${JSON.stringify({ ...plan, ...(usage && { usage }) })}\n`);
}

/** Starts or resumes a run, sees it to its end, and prints its summary as one JSON line. */
async function run(
  sourceText: string | undefined,
  flags: ProducerFlags,
  settings: ProducerSettings,
  {
    stores,
    closers,
    tracing,
    log,
  }: { stores: StorePool; closers: Closers; tracing: Tracing; log: Logger },
): Promise<void> {
  const metrics = new Metrics({ processMetrics: true, tracing });
  const what = flags.resume
    ? { resume: nameToResume(flags) }
    : {
        begin: await requestRun(sourceText, flags, bundleFolder(settings)),
        orGoOn: flags.goOn ?? false,
      };
  const output = outputLocation(flags);
  // Before anything is begun: a port that is taken is a mistake, and no run should be left of it.
  let started: StartedRun | undefined;
  const http = await openHttpPort({
    host: settings.httpHost,
    port: settings.httpPort,
    metrics,
    unhealthy: () => undefined,
    ready: { Redis: async () => started?.redis.ping(), stores: () => stores.check() },
  });
  closers.add('http', () => http.close());
  log.info({ httpPort: http.port }, 'serving metrics');
  const summary = await produceRun({
    ...{ what, output, stores, metrics, log, closers },
    redisUrl: settings.redis,
    window: flags.window,
    async onStarted(opened) {
      started = opened;
      const { redis } = opened;
      const exporter = new Exporter({
        ...{ redis, metrics, log },
        features: new FeatureBooks(redis, { home: redisHome }),
      });
      closers.add('exporter', () => exporter.stop());
      await exporter.start();
    },
  });
  process.stdout.write(`${JSON.stringify(summary)}\n`);
}

function nameToResume(flags: ProducerFlags): string {
  if (!flags.run) throw new UserError('Say which run to resume: --run <name>.');
  return flags.run;
}

function bundleFolder(settings: ProducerSettings): string {
  return settings.model ?? defaultBundleFolder();
}
