import { connectRedis, Exporter, logOutages, openFeatureBooks } from '@cutline/pipeline';
import {
  addSettings,
  Closers,
  createLogger,
  Metrics,
  openHttpPort,
  readSettings,
  stopProcess,
  untilStopped,
} from '@cutline/shared/process';
import type { Command } from 'commander';

const settingNames = ['redis', 'features', 'httpPort', 'httpHost', 'logLevel'] as const;

export function addExporter(program: Command): void {
  const command = program
    .command('exporter')
    .description('Serve the metrics of queues, runs and Redis, also while no producer runs.');
  addSettings(command, settingNames).action(async (options) => {
    const settings = readSettings(options, settingNames);
    const log = createLogger({ process: 'exporter', level: settings.logLevel });
    const stop = untilStopped();
    const closers = new Closers();
    const metrics = new Metrics({ processMetrics: true });
    const redis = await connectRedis(settings.redis);
    closers.add('Redis', () => redis.disconnect());
    logOutages(redis, log);
    const exporter = new Exporter({
      ...{ redis, metrics, log },
      features: await openFeatureBooks({ features: settings.features, redis, closers, log }),
    });
    closers.add('exporter', () => exporter.stop());
    await exporter.start();
    const http = await openHttpPort({
      host: settings.httpHost,
      port: settings.httpPort,
      metrics,
      unhealthy: () => undefined,
      ready: { Redis: () => redis.ping() },
    });
    closers.add('http', () => http.close());
    log.info({ httpPort: http.port }, 'serving metrics');
    await stopProcess(await stop.stopped, { closers, deadlineMs: 5_000, log });
  });
}
