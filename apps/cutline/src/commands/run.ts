import { addSettings, readSettings } from '@cutline/shared/process';
import { addRunFlags, newRunName, type RunFlags } from '@cutline/shared/run';
import type { Command } from 'commander';
import { followRun } from '../follow-run.ts';
import { formatBytes, formatCounts, formatQuantity } from '../format.ts';
import { startProducer } from '../start-producer.ts';

const settingNames = ['redis', 'model', 's3PathStyle'] as const;

export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description('Caption a bucket or a folder with the workers, and watch until it is done.')
    .argument('<source>', 'images: s3://bucket/prefix or a folder');
  addSettings(addRunFlags(command), settingNames).action(async (_source, options) => {
    readSettings(options, settingNames);
    const flags: RunFlags = options;
    // The producer has the same flags: it gets them as they were given.
    const given = process.argv.slice(3);
    if (flags.dryRun) return printDryRun(given);
    const name = flags.run || newRunName(new Date());
    await followRun(name, options, [...given, ...(flags.run ? [] : ['--run', name])]);
  });
}

async function printDryRun(args: string[]): Promise<void> {
  const { exited } = startProducer(args, (text) => process.stderr.write(`${text}\n`));
  const { code, message, result } = await exited;
  if (code !== 0) {
    process.stderr.write(`cutline: ${message}\n`);
    process.exitCode = code;
    return;
  }
  const { images, bytes, skippedByReason, examples } = JSON.parse(result);
  const skipped = formatCounts(skippedByReason);
  const size = bytes > 0 ? ` (${formatBytes(bytes)})` : '';
  process.stdout.write(
    `${formatQuantity(images, 'image')}${size} would be captioned` +
      `${skipped && `, others skipped (${skipped})`}. Nothing was written.\n` +
      `${examples.map((key: string) => `  ${key}\n`).join('')}${images > examples.length ? '  …\n' : ''}`,
  );
}
