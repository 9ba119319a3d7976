import { join } from 'node:path';
import {
  defaultBundleFolder,
  describeBundle,
  exportGraphs,
  loadModelBundle,
  type WeightType,
} from '@cutline/inference';
import { Argument, type Command, Option } from 'commander';
import { formatModel } from '../format-model.ts';

const bundleArgument = new Argument('[folder]', 'model bundle').default(
  defaultBundleFolder(),
  'the one that ships with Cutline',
);

export function addModel(program: Command): void {
  const model = program.command('model').description('Look at model bundles.');
  model
    .command('inspect')
    .description('Say what a model is: parts, sizes, options, scores, licences and origin.')
    .addArgument(bundleArgument)
    .option('--json', 'all that model.json says, for machines')
    .action(async (folder: string, options: { json?: boolean }) => {
      const summary = await describeBundle(folder);
      const { id, description } = summary;
      process.stdout.write(
        options.json
          ? `${JSON.stringify({ id, ...description }, undefined, 2)}\n`
          : formatModel(summary, process.stdout.columns),
      );
    });
  model
    .command('verify')
    .description('Check a bundle: every checksum, tensor and shape.')
    .addArgument(bundleArgument)
    .action(async (folder: string) => {
      await loadModelBundle(folder);
      const { id } = await describeBundle(folder);
      process.stdout.write(`${id}: its files are whole and fit together (${folder}).\n`);
    });
  model
    .command('export')
    .description('Write a model as ONNX graphs, for other programs.')
    .addArgument(bundleArgument)
    .requiredOption('-o, --to <folder>', 'where to write them')
    .addOption(
      new Option('--weights <type>', 'type in which weights are stored; they compute in float32')
        .choices(['float32', 'float16'])
        .default('float32'),
    )
    .action(async (folder: string, options: { to: string; weights: WeightType }) => {
      const names = await exportGraphs(folder, options.to, options.weights);
      process.stdout.write(names.map((name) => `${join(options.to, name)}\n`).join(''));
    });
}
