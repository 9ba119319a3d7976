import { defaultBundleFolder, describeModel } from '@cutline/inference';
import { outputLocation, planUsage, requestRun } from '@cutline/pipeline';
import { addSettings, Closers, readSettings, terminalColumns } from '@cutline/shared/process';
import { addRunFlags, type RunFlags } from '@cutline/shared/run';
import type { Command } from 'commander';
import { formatPlan } from '../plan/format-plan.ts';
import { makePlan } from '../plan/make-plan.ts';
import { formatUsage } from '../terminal/format.ts';
import { say } from '../terminal/say.ts';
import { followRun, producingSettings } from '../watch/follow-run.ts';

const settingNames = [...producingSettings, 'model'] as const;

export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description('Caption a bucket or a folder with the workers, and watch until it is done.')
    .argument('<source>', 'images: s3://bucket/prefix or a folder')
    .addHelpText(
      'after',
      '\nThe exit status is 0 when every image has a result, also where some failed:\n' +
        '"cutline retry" tries them again.',
    );
  addSettings(addRunFlags(command), settingNames).action(
    async (source: string, flags: RunFlags & Record<string, unknown>) => {
      const { model = defaultBundleFolder() } = readSettings(flags, settingNames);
      const run = await requestRun(source, flags, model);
      if (flags.dryRun) return printDryRun(source, flags, model);
      outputLocation(flags); // said before anything else is looked at
      await followRun({ what: { begin: run }, window: flags.window, flags });
    },
  );
}

/** A plan for which nothing is tried, and of which nothing is left. */
async function printDryRun(
  source: string,
  { run: _, ...flags }: RunFlags & Record<string, unknown>,
  model: string,
): Promise<void> {
  const closers = new Closers();
  try {
    const { plan } = await makePlan(source, { ...flags, try: 0 }, closers);
    process.stdout.write(formatPlan(plan, terminalColumns(process.stdout)));
    const { images, examples } = plan.survey;
    const usage = planUsage(await describeModel(model), images);
    if (usage) {
      say(process.stdout, `If each takes what a made-up image did: ${formatUsage(usage)}.`);
    }
    say(process.stdout, 'Nothing was written.');
    // Keys are whole on one line each, to be copied.
    process.stdout.write(
      `${examples.map((key) => `  ${key}\n`).join('')}${images > examples.length ? '  …\n' : ''}`,
    );
  } finally {
    await closers.closeAll();
  }
}
