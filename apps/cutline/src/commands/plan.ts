import { addSettings, Closers, terminalColumns } from '@cutline/shared/process';
import { addRequestFlags, wholeNumber } from '@cutline/shared/run';
import { type Command, Option } from 'commander';
import { formatPlan } from '../plan/format-plan.ts';
import { makePlan, type PlanFlags, planSettings } from '../plan/make-plan.ts';
import { say } from '../terminal/say.ts';

const thePlan = 'The plan:';

/** Images that are tried, where nobody says how many. */
const triesDefault = 200;

export function addPlan(program: Command): void {
  const command = program
    .command('plan')
    .description(
      'Say what a run would take, before it is begun: it lists what the run would, tries some of ' +
        'it on this machine, and reckons time, requests, memory and cost.',
    )
    .argument('<source>', 'images: s3://bucket/prefix or a folder')
    .addHelpText('after', help);
  const options = [
    new Option('--try <n>', 'images to try here, drawn at random; 0: none, and no time is told')
      .argParser(wholeNumber({ min: 0, max: 10_000 }))
      .default(triesDefault),
    new Option('--encoders <n>', 'machines like this one that will encode').argParser(
      wholeNumber({ min: 1, max: 100_000 }),
    ),
    new Option('--decoders <n>', 'machines like this one that will decode').argParser(
      wholeNumber({ min: 1, max: 100_000 }),
    ),
    new Option('--prices <file>', 'what costs what, as JSON, where it is other than AWS lists it'),
    new Option('--json', 'one JSON object, for machines'),
  ];
  for (const option of options) command.addOption(option.helpGroup(thePlan));
  addSettings(addRequestFlags(command), planSettings).action(
    async (source: string, flags: PlanFlags & { json?: boolean } & Record<string, unknown>) => {
      const closers = new Closers();
      try {
        const { plan, writtenTo } = await makePlan(source, flags, closers);
        const columns = terminalColumns(process.stdout);
        process.stdout.write(flags.json ? `${JSON.stringify(plan)}\n` : formatPlan(plan, columns));
        if (writtenTo !== undefined) say(process.stderr, `The plan is ${writtenTo}`);
      } finally {
        await closers.closeAll();
      }
    },
  );
}

const help = `
Flags of the run are those of "cutline run". With --run and --output, the plan
is written where that run will be, and "cutline status" compares the two.
Intervals hold 95 times in 100, as far as chance goes: of the draw, and of how
long a batch took.`;
