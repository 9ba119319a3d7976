import {
  defaultBundleFolder,
  describeBundle,
  loadDecoderBundle,
  loadEncoderBundle,
} from '@cutline/inference';
import type { Command } from 'commander';

const bundleArgument = ['[folder]', 'model bundle', defaultBundleFolder()] as const;

export function addModel(program: Command): void {
  const model = program.command('model').description('Look at model bundles.');
  model
    .command('inspect')
    .description('Print what model.json says: parts, sizes, options, licences, origin and scores.')
    .argument(...bundleArgument)
    .action(async (folder: string) => {
      const { id, description } = await describeBundle(folder);
      process.stdout.write(`${JSON.stringify({ id, ...description }, undefined, 2)}\n`);
    });
  model
    .command('verify')
    .description('Check a bundle: every checksum, tensor and shape.')
    .argument(...bundleArgument)
    .action(async (folder: string) => {
      await loadEncoderBundle(folder);
      await loadDecoderBundle(folder);
      const { id } = await describeBundle(folder);
      process.stdout.write(`${id}: its files are whole and fit together (${folder}).\n`);
    });
}
