import { basename, join } from 'node:path';
import {
  defaultBundleFolder,
  describeBundle,
  exportGraphs,
  findBundle,
  loadModelBundle,
  modelSize,
  type Precision,
  removeShelved,
  shelvedModels,
  type Trial,
  tryModel,
  type WeightType,
} from '@cutline/inference';
import { describeError } from '@cutline/shared/errors';
import { wholeNumber } from '@cutline/shared/run';
import { Argument, type Command, Option } from 'commander';
import { formatModel } from '../format-model.ts';
import { addModel as addPublished } from '../models/add-model.ts';
import { createStatusLine } from '../status-line.ts';

const bundleArgument = new Argument('[model]', 'name or folder of a model bundle').default(
  defaultBundleFolder(),
  'the one that ships with Cutline',
);

export function addModel(program: Command): void {
  const model = program.command('model').description('Add captioners, and look at them.');
  addAdd(model);
  model
    .command('list')
    .description('Name the captioners that are here.')
    .action(async () => {
      const names = [basename(defaultBundleFolder()), ...(await shelvedModels())];
      process.stdout.write(names.map((name) => `${name}\n`).join(''));
    });
  model
    .command('remove')
    .description('Remove a captioner that was added.')
    .argument('<name>', 'as "cutline model list" names it')
    .action(async (name: string) => {
      await removeShelved(name);
      process.stdout.write(`${name} is removed.\n`);
    });
  model
    .command('inspect')
    .description('Say what a model is: parts, sizes, options, scores, licences and origin.')
    .addArgument(bundleArgument)
    .option('--json', 'all that model.json says, and sizes, for machines')
    .action(async (folder: string, options: { json?: boolean }) => {
      const summary = await describeBundle(folder);
      const { id, description } = summary;
      process.stdout.write(
        options.json
          ? `${JSON.stringify({ id, ...description, size: modelSize(description) }, undefined, 2)}\n`
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
      const path = await findBundle(folder);
      process.stdout.write(`${id}: its files are whole and fit together (${path}).\n`);
    });
  model
    .command('export')
    .description('Write a model as ONNX graphs, for other programs.')
    .addArgument(bundleArgument)
    .requiredOption('-o, --to <folder>', 'where to write them')
    .addOption(weightsOption())
    .action(async (folder: string, options: { to: string; weights: WeightType }) => {
      const names = await exportGraphs(folder, options.to, options.weights);
      process.stdout.write(names.map((name) => `${join(options.to, name)}\n`).join(''));
    });
}

function addAdd(model: Command): void {
  model
    .command('add')
    .description('Add a published captioner: BLIP, ViT with GPT-2, or GIT.')
    .argument('<source>', 'repository of the Hugging Face hub (organisation/name), or a folder')
    .option('--name <name>', 'what to call it here; default: after the repository')
    .option('--into <folder>', 'where to put the bundle; default: ~/.cache/cutline/models/<name>')
    .option('--revision <revision>', 'branch, tag or commit of the repository; default: main')
    .addOption(
      new Option(
        '--image-size <pixels>',
        'side of the images that it takes; default: what it was trained on',
      ).argParser(wholeNumber({ min: 1, max: 4096 })),
    )
    .addOption(weightsOption())
    .addOption(
      new Option('--precision <type>', 'int8: the encoder multiplies bytes, faster on CPUs')
        .choices(['float32', 'int8'])
        .default('float32'),
    )
    .action(async (source: string, { weights, ...options }: AddOptions) => {
      const status = createStatusLine(process.stderr);
      const folder = await addPublished({
        source,
        ...options,
        weightType: weights,
        onStep: (what) => status.show(what),
      }).finally(() => status.clear());
      status.show('trying it on one image …');
      const trial = await tryHere(folder).finally(() => status.clear());
      const summary = await describeBundle(folder);
      const { name } = summary.description;
      process.stdout.write(formatModel(summary, process.stdout.columns, trial));
      const named = options.into === undefined ? name : folder;
      process.stdout.write(
        `\nIn ${folder}. Try it:\n\n  cutline caption <images> --model ${named}\n`,
      );
    });
}

/** A model that cannot be tried on this machine may be meant for another. */
async function tryHere(folder: string): Promise<Trial> {
  try {
    return await tryModel(folder);
  } catch (error) {
    return { notTried: describeError(error) };
  }
}

interface AddOptions {
  name?: string;
  into?: string;
  revision?: string;
  imageSize?: number;
  weights: WeightType;
  precision: Precision;
}

function weightsOption(): Option {
  return new Option('--weights <type>', 'type in which weights are stored; they compute in float32')
    .choices(['float32', 'float16'])
    .default('float32');
}
