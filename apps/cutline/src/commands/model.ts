import { basename, join } from 'node:path';
import {
  type AnswerFormat,
  type AnyModel,
  answerFormats,
  defaultBundleFolder,
  describeModel,
  exportGraphs,
  findBundle,
  loadModelBundle,
  modelSize,
  type Precision,
  removeShelved,
  servedRanges,
  shelvedModels,
  type Trial,
  tryModel,
  type WeightType,
} from '@cutline/inference';
import { describeError } from '@cutline/shared/errors';
import { terminalColumns } from '@cutline/shared/process';
import { type Price, wholeNumber } from '@cutline/shared/run';
import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import { addInto } from '../files/into-option.ts';
import { formatModel } from '../terminal/format-model.ts';
import { formatServed } from '../terminal/format-served.ts';
import { createStatusLine } from '../terminal/status-line.ts';

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
      const summary = await describeModel(folder);
      process.stdout.write(
        options.json
          ? `${JSON.stringify(describeAsJson(summary), undefined, 2)}\n`
          : formatAny(summary),
      );
    });
  model
    .command('verify')
    .description('Check a bundle: every checksum, tensor and shape.')
    .addArgument(bundleArgument)
    .action(async (folder: string) => {
      const { id, kind } = await describeModel(folder);
      if (kind === 'local') await loadModelBundle(folder);
      const path = await findBundle(folder);
      process.stdout.write(`${id}: its files are whole and fit together (${path}).\n`);
    });
  const command = model
    .command('export')
    .description('Write a model as ONNX graphs, for other programs.')
    .addArgument(bundleArgument);
  addInto(command, '<folder>', 'where to write them', { formerly: 'to', isMandatory: true })
    .addOption(weightsOption())
    .action(async (folder: string, { into, weights }: { into: string; weights: WeightType }) => {
      const names = await exportGraphs(folder, into, weights);
      process.stdout.write(names.map((name) => `${join(into, name)}\n`).join(''));
    });
}

function addAdd(model: Command): void {
  model
    .command('add')
    .description('Add a published captioner (BLIP, ViT with GPT-2, GIT), or one behind a server.')
    .argument(
      '<source>',
      'repository of the Hugging Face hub (organisation/name), a folder, or openai:<url> of a server',
    )
    .option('--name <name>', 'what to call it here; default: after the repository')
    .option(
      '-o, --into <folder>',
      'where to put the bundle; default: ~/.cache/cutline/models/<name>',
    )
    .option('--revision <revision>', 'branch, tag or commit of the repository; default: main')
    .addOption(
      new Option(
        '--image-size <pixels>',
        'side of the images that it takes; default: what it was trained on (of a server: 1024 at most)',
      ).argParser(wholeNumber({ min: 1, max: 4096 })),
    )
    .addOption(weightsOption())
    .addOption(
      new Option('--precision <type>', 'int8: the encoder multiplies bytes, faster on CPUs')
        .choices(['float32', 'int8'])
        .default('float32'),
    )
    .optionsGroup('Of a model behind a server (vLLM, SGLang, Ollama, llama.cpp, a hosted API):')
    .option('--prompt-file <file>', 'what is asked; {key} and {column} stand for what is listed')
    .option('--served-model <name>', 'as the server calls it; default: the one that it serves')
    .addOption(
      new Option('--answers <format>', 'json: caption, alt text, keywords and visible text')
        .choices(answerFormats)
        .default('text'),
    )
    .addOption(
      new Option('--jpeg-quality <n>', 'of the images that are sent')
        .argParser(wholeNumber(servedRanges.jpegQuality))
        .default(85),
    )
    .addOption(
      new Option('--tokens-max <n>', 'of an answer')
        .argParser(wholeNumber(servedRanges.answerTokens))
        .default(200),
    )
    .option('--api-key-variable <name>', 'environment variable that holds the key')
    .addOption(
      new Option('--price <prompt,answer>', 'US dollars for a million tokens of each').argParser(
        parsePrice,
      ),
    )
    .option('--licence <name>', 'of the model')
    .action(async (source: string, options: AddOptions) => {
      const status = createStatusLine(process.stderr);
      const onStep = (what: string) => status.show(what);
      const { weights, ...rest } = options;
      const add = async () => {
        if (source.startsWith(serverScheme)) {
          const { addServed } = await import('../models/add-served.ts');
          return addServed({ ...rest, url: source.slice(serverScheme.length), onStep });
        }
        const { addModel } = await import('../models/add-model.ts');
        return addModel({ source, ...rest, weightType: weights, onStep });
      };
      const folder = await add().finally(() => status.clear());
      const summary = await describeModel(folder);
      const { name } = summary.description;
      let trial: Trial | undefined;
      if (summary.kind === 'local') {
        status.show('trying it on one image …');
        trial = await tryHere(folder).finally(() => status.clear());
      }
      process.stdout.write(formatAny(summary, trial));
      const named = options.into === undefined ? name : folder;
      process.stdout.write(
        `\nIn ${folder}. Try it:\n\n  cutline caption <images> --model ${named}\n`,
      );
    });
}

/** Before the address of a server; what follows is OpenAI's protocol, whoever serves it. */
const serverScheme = 'openai:';

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
  promptFile?: string;
  servedModel?: string;
  answers: AnswerFormat;
  jpegQuality: number;
  tokensMax: number;
  apiKeyVariable?: string;
  price?: Price;
  licence?: string;
}

function formatAny(model: AnyModel, trial?: Trial): string {
  const columns = terminalColumns(process.stdout);
  if (model.kind === 'served') return formatServed(model, columns);
  return formatModel(model, columns, trial);
}

function describeAsJson(model: AnyModel): object {
  const { id, kind, description } = model;
  return { id, ...description, ...(kind === 'local' && { size: modelSize(description) }) };
}

function parsePrice(text: string): Price {
  const [prompt, completion, ...others] = text.split(',').map((each) => Number(each || Number.NaN));
  const isPrice = (price: number | undefined): price is number =>
    price !== undefined && price >= 0 && price < 1e6;
  if (isPrice(prompt) && isPrice(completion) && others.length === 0) return { prompt, completion };
  throw new InvalidArgumentError('Expected two prices with a comma, as in 0.15,0.6.');
}

function weightsOption(): Option {
  return new Option('--weights <type>', 'type in which weights are stored; they compute in float32')
    .choices(['float32', 'float16'])
    .default('float32');
}
