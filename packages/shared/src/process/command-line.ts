import { Command, type CommanderError, type Option } from 'commander';
import { UserError } from '../errors.ts';
import { version } from '../version.ts';
import { terminalColumns } from './terminal-columns.ts';

/** Help is wrapped to the terminal; wherever it goes else, or where that is wider, to this. */
const helpWidthMax = 80;
/** What is said of a flag is wrapped beside it, as long as it has so many columns. */
const descriptionWidthMin = 20;

/**
 * A program's command line, as all of Cutline's programs have it: the same help, and a mistake is
 * a UserError of one line like any other, whoever finds it. Subcommands inherit all this.
 */
export function createCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .configureHelp({
      optionDescription: describeOption,
      subcommandTerm: nameSubcommand,
      minWidthToWrap: descriptionWidthMin,
    })
    .configureOutput({
      getOutHelpWidth: () => helpWidth(process.stdout),
      getErrHelpWidth: () => helpWidth(process.stderr),
      outputError: () => {}, // it is thrown, below
    })
    .exitOverride(endOrThrow);
}

function helpWidth(stream: NodeJS.WriteStream): number {
  return Math.min(terminalColumns(stream) ?? helpWidthMax, helpWidthMax);
}

/** After it printed help or the version, Commander ends the process itself. */
function endOrThrow(outcome: CommanderError): void {
  const wasAskedFor = outcome.exitCode === 0 || outcome.code === 'commander.help';
  if (wasAskedFor) return;
  const [mistake = '', suggestion] = outcome.message.replace(/^error: /, '').split('\n');
  const meant = suggestion ? ` ${suggestion.replace('Did', 'did')}` : '';
  // Where a value was expected, the sentence says which.
  const remedy = mistake.endsWith('.') ? '' : ': --help says what there is.';
  throw new UserError(`${mistake}${meant}${remedy}`);
}

/** What the option is for, its default unless that is an empty list, and its variable. */
function describeOption({
  description,
  defaultValue,
  defaultValueDescription,
  envVar,
}: Option): string {
  const shown = defaultValueDescription ?? String(defaultValue ?? '');
  const notes = [shown && `default: ${shown}`, envVar && `env: ${envVar}`].filter(Boolean);
  return notes.length === 0 ? description : `${description} (${notes.join(', ')})`;
}

/** Without `[options]`, which all of them have. */
function nameSubcommand(command: Command): string {
  const args = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  );
  return [command.name(), ...args].join(' ');
}
