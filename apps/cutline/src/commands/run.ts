import { type AnyModel, defaultBundleFolder, describeModel } from '@cutline/inference';
import {
  countListing,
  describeExcluded,
  outputLocation,
  planUsage,
  requestRun,
  resultsPrefix,
} from '@cutline/pipeline';
import { addSettings, readSettings, storeConfig } from '@cutline/shared/process';
import { addRunFlags, type RunFlags } from '@cutline/shared/run';
import { StorePool } from '@cutline/shared/stores';
import type { Command } from 'commander';
import { followRun, producingSettings } from '../follow-run.ts';
import { formatBytes, formatQuantity, formatReasons, formatUsage } from '../format.ts';
import { say } from '../say.ts';

const settingNames = [...producingSettings, 'model'] as const;

export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description('Caption a bucket or a folder with the workers, and watch until it is done.')
    .argument('<source>', 'images: s3://bucket/prefix or a folder');
  addSettings(addRunFlags(command), settingNames).action(
    async (source: string, flags: RunFlags & Record<string, unknown>) => {
      const { model = defaultBundleFolder(), s3PathStyle } = readSettings(flags, settingNames);
      const run = await requestRun(source, flags, model);
      if (!flags.dryRun) {
        outputLocation(flags); // said before anything else is looked at
        await followRun({ what: { begin: run }, window: flags.window, flags });
        return;
      }
      const stores = new StorePool(storeConfig({ s3PathStyle }));
      try {
        await printDryRun(run, flags, stores, await describeModel(model));
      } finally {
        await stores.close();
      }
    },
  );
}

async function printDryRun(
  { source, selection }: Awaited<ReturnType<typeof requestRun>>,
  flags: RunFlags,
  stores: StorePool,
  model: AnyModel,
): Promise<void> {
  const store = await stores.open(source.store);
  await store.check();
  const exceptPrefix = flags.output ? resultsPrefix(source, outputLocation(flags)) : undefined;
  const { images, bytes, skippedByReason, examples } = await countListing(
    { store, prefix: source.prefix },
    selection,
    {
      exceptPrefix,
      onExcluded: (keys) => say(process.stderr, describeExcluded(keys, exceptPrefix)),
      stores,
    },
  );
  const usage = planUsage(model, images);
  const skipped = formatReasons(skippedByReason);
  const size = bytes > 0 ? ` (${formatBytes(bytes)})` : '';
  const lines = [
    `${formatQuantity(images, 'image')}${size} would be captioned` +
      `${skipped && `, others skipped (${skipped})`}. Nothing was written.`,
    ...(usage ? [`If each takes what a made-up image did: ${formatUsage(usage)}.`] : []),
  ];
  say(process.stdout, lines.join('\n'));
  // Keys are whole on one line each, to be copied.
  process.stdout.write(
    `${examples.map((key) => `  ${key}\n`).join('')}${images > examples.length ? '  …\n' : ''}`,
  );
}
