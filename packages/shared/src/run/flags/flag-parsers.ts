import { type Command, InvalidArgumentError, type Option } from 'commander';
import {
  describeWholeNumber,
  parseWholeNumber,
  type WholeNumberRange,
} from '../../process/whole-number.ts';

/** How flags are read, and shown in groups. */

export function wholeNumber(range: WholeNumberRange) {
  return (text: string): number => {
    const value = parseWholeNumber(text, range);
    if (value !== undefined) return value;
    throw new InvalidArgumentError(`Expected ${describeWholeNumber(range)}.`);
  };
}

export function decimal({ min, max }: { min: number; max: number }) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= min && value <= max)) {
      throw new InvalidArgumentError(`Expected a number from ${min} to ${max}.`);
    }
    return value;
  };
}

export function addGroup(command: Command, heading: string, options: readonly Option[]): Command {
  for (const option of options) command.addOption(option.helpGroup(heading));
  return command;
}
