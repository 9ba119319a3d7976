import { createCommand } from '@cutline/shared/process';
import { wholeNumber } from '@cutline/shared/run';
import { Option } from 'commander';
import { describe, expect, test } from 'vitest';

function program() {
  const command = createCommand('program', 'Does things.');
  command
    .command('caption')
    .description('Caption images.')
    .argument('<source>', 'where they are')
    .option('--json', 'for machines')
    .addOption(new Option('--limit <n>', 'the first n').argParser(wholeNumber({ min: 1 })))
    .addOption(new Option('--include <glob>', 'only these').default([]))
    .addOption(new Option('--page <file>', 'a page').default('page.html').env('PAGE'))
    .action(() => {});
  return command;
}
const run = (...args: string[]) => program().parse(args, { from: 'user' });

describe('a mistake is one line that says what to do', () => {
  test.each([
    [
      ['caption', 'x', '--jsn'],
      "unknown option '--jsn' (did you mean --json?): --help says what there is.",
    ],
    [['caption', 'x', '--zzzzzz'], "unknown option '--zzzzzz': --help says what there is."],
    [
      ['capton', 'x'],
      "unknown command 'capton' (did you mean caption?): --help says what there is.",
    ],
    [['caption'], "missing required argument 'source': --help says what there is."],
    [['caption', 'x', 'y'], "too many arguments for 'caption'. Expected 1 argument but got 2."],
    [
      ['caption', 'x', '--limit', 'all'],
      "option '--limit <n>' argument 'all' is invalid. Expected a whole number of at least 1.",
    ],
    [
      ['caption', 'x', '--limit'],
      "option '--limit <n>' argument missing: --help says what there is.",
    ],
  ])('%j', (args, message) => {
    expect(() => run(...args)).toThrow(expect.objectContaining({ name: 'UserError', message }));
  });
});

describe('help', () => {
  const help = (...path: string[]) => {
    const command = path.reduce(
      (found, name) => found.commands.find((each) => each.name() === name)!,
      program(),
    );
    return command.helpInformation();
  };

  test('lists subcommands with their arguments, and nothing that all of them have', () => {
    expect(help()).toMatch(/^ {2}caption <source> +Caption images\.$/m);
  });

  test('shows defaults as they would be typed, variables, and no empty lists', () => {
    expect(help('caption')).toMatch(/--page <file> +a page \(default: page\.html, env: PAGE\)$/m);
    expect(help('caption')).toMatch(/--include <glob> +only these$/m);
    expect(help('caption')).toMatch(/--limit <n> +the first n$/m);
  });

  test('of a program without subcommands lists none', () => {
    expect(createCommand('worker', 'Works.').helpInformation()).not.toContain('Commands:');
  });

  test('does not repeat the options of the program under every command', () => {
    expect(help('caption')).not.toContain('--version');
  });
});
