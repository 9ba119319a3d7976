import type { Command } from 'commander';

/**
 * The flags that a command was given, on its command line or by their variables, as another program
 * takes them: one argument each, `--flag=value`, so that a value may begin with a dash.
 *
 * @param names of options, as their values are named
 */
export function givenFlags(command: Command, names: readonly string[]): string[] {
  return command.options.flatMap((option) => {
    const name = option.attributeName();
    const source = command.getOptionValueSource(name);
    if (!names.includes(name) || (source !== 'cli' && source !== 'env')) return [];
    const value: unknown = command.getOptionValue(name);
    if (value === true) return [option.long as string];
    const values = commaLists.includes(name) ? [value].flat().join(',') : value;
    return [values].flat().map((each) => `${option.long}=${each}`);
  });
}

/** Lists that are one value; others are flags that may be repeated. */
const commaLists = ['sidecars', 'carry'];
