import { type Command, Option } from 'commander';

/**
 * `-o, --into <path>`: the file, or folder, that a command writes. It is the same letter in every
 * command that writes one, and never where runs are, which is `--output` (record 26).
 *
 * @param what `<file>`, `<folder>` or `<path>`
 * @param formerly the long name that the command had for it before, which scripts may use
 */
export function addInto(
  command: Command,
  what: string,
  description: string,
  { formerly, isMandatory = false }: { formerly: string; isMandatory?: boolean },
): Command {
  const option = new Option(`-o, --into ${what}`, description).makeOptionMandatory(isMandatory);
  const former = new Option(`--${formerly} ${what}`).hideHelp();
  return command
    .addOption(option)
    .addOption(former)
    .on(`option:${formerly}`, (path: string) => void command.setOptionValue('into', path));
}
