import {
  defaultBundleFolder,
  describeBundle,
  loadDecoderBundle,
  loadEncoderBundle,
} from '@cutline/inference';
import { Argument, type Command } from 'commander';

const bundleArgument = new Argument('[folder]', 'model bundle').default(
  defaultBundleFolder(),
  'the one that ships with Cutline',
);

export function addModel(program: Command): void {
  const model = program.command('model').description('Look at model bundles.');
  model
    .command('inspect')
    .description('Print what model.json says: parts, sizes, options, licences, origin and scores.')
    .addArgument(bundleArgument)
    .action(async (folder: string) => {
      const { id, description } = await describeBundle(folder);
      process.stdout.write(`${JSON.stringify({ id, ...description }, undefined, 2)}\n`);
    });
  model
    .command('verify')
    .description('Check a bundle: every checksum, tensor and shape.')
    .addArgument(bundleArgument)
    .action(async (folder: string) => {
      await loadEncoderBundle(folder);
      await loadDecoderBundle(folder);
      const { id } = await describeBundle(folder);
      process.stdout.write(`${id}: its files are whole and fit together (${folder}).\n`);
    });
}
