import { defaultBundleFolder } from '@cutline/inference';
import { type DecodeFlags, requestDecode } from '@cutline/pipeline';
import { addSettings, readSettings } from '@cutline/shared/process';
import { addDecodeFlags } from '@cutline/shared/run';
import type { Command } from 'commander';
import { followRun } from '../watch/follow-run.ts';
import { addRunArguments, withRun } from '../watch/run-context.ts';

const settingNames = ['redis', 'features', 'model'] as const;

type DecodeCommandFlags = DecodeFlags & { window: number } & Record<string, unknown>;

export function addDecode(program: Command): void {
  const command = program
    .command('decode')
    .description('Caption a run again from the features that it kept: no images, no encoders.');
  addSettings(addDecodeFlags(addRunArguments(command)), settingNames).action(
    async (name: string, flags: DecodeCommandFlags) => {
      const { model = defaultBundleFolder() } = readSettings(flags, settingNames);
      const begin = await withRun(name, flags, ({ run }) => requestDecode(run, flags, model));
      await followRun({ what: { begin }, window: flags.window, flags });
    },
  );
}
