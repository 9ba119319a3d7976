import { defaultBundleFolder } from '@cutline/inference';
import { requestLocal } from '@cutline/pipeline';
import { UserError } from '@cutline/shared/errors';
import { addSettings, Closers, readSettings } from '@cutline/shared/process';
import {
  addCaptionFlags,
  addSelectionFlags,
  addSidecarFlags,
  type CaptionFlags,
  type FeatureType,
  featureTypeOption,
  type SelectionFlags,
  type SidecarFlags,
} from '@cutline/shared/run';
import { type Command, Option } from 'commander';
import { captionSource } from '../caption/caption-source.ts';
import { type OutputFlags, type Outputs, planOutputs, requireOutputs } from '../caption/outputs.ts';
import { fileFormats, parseLink } from '../export/index.ts';
import { addInto } from '../files/into-option.ts';
import { stageSettings } from '../open-stages.ts';

const settingNames = [...stageSettings, 's3PathStyle'] as const;

interface CaptionCommandFlags extends CaptionFlags, SelectionFlags, SidecarFlags, OutputFlags {
  featureType: FeatureType;
  prune?: boolean;
}

export function addCaption(program: Command): void {
  const command = program
    .command('caption')
    .description('Caption images here and now, in one process: no Redis, no workers.')
    .argument('<source>', 'a folder, an image, s3://bucket/prefix or s3://bucket/key')
    .option('--json', 'print rows as JSON Lines instead of a table');
  addInto(
    command,
    '<file>',
    'write captions to a file: rows (.jsonl) or .csv, .xlsx, .parquet; the same command again ' +
      'goes on with it',
    { formerly: 'results' },
  )
    .addOption(
      new Option(
        '--format <format>',
        'jsonl, csv, xlsx or parquet, where the ending of the file does not say it',
      ).choices(Object.keys(fileFormats)),
    )
    .option('--prune', 'take the rows of images that are not there any more out of the file')
    .option('--gallery <page.html>', 'make a page to look at, too')
    .option('--link <url>', 'of the page: where originals are: https://…/{key}, photos/{key}')
    .addHelpText('after', '\nThe exit status is 1 when an image failed; its row says why.');
  command.addOption(featureTypeOption());
  addSidecarFlags(command);
  addSettings(addCaptionFlags(addSelectionFlags(command)), settingNames).action(
    async (source: string, flags: CaptionCommandFlags) => {
      const outputs = planOutputs(flags);
      requirePrunable(flags, outputs);
      const link = flags.link ? parseLink(flags.link, '--link', { isForPage: true }) : undefined;
      await requireOutputs(outputs);
      const closers = new Closers();
      try {
        const settings = readSettings({ ...flags }, settingNames);
        const bundleFolder = settings.model ?? defaultBundleFolder();
        const { model, request } = await requestLocal(source, flags, bundleFolder);
        const { prune = false } = flags;
        const what = { source, request, model, bundleFolder, outputs, link, prune };
        await captionSource(what, { settings, closers });
      } finally {
        await closers.closeAll();
      }
    },
  );
}

/** @throws UserError where it could not be known what is gone */
function requirePrunable(flags: CaptionCommandFlags, { rows }: Outputs): void {
  if (!flags.prune) return;
  if (rows === undefined) throw new UserError('--prune is of a file: give -o <file>, too.');
  const { include = [], exclude = [], keysFrom, limit, sample } = flags;
  if (include.length + exclude.length > 0 || (keysFrom ?? limit ?? sample) !== undefined) {
    throw new UserError(
      '--prune looks at all that is there: leave --include, --exclude, --keys-from, --limit and ' +
        '--sample out.',
    );
  }
}
