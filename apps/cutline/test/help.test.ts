import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { createProgram } from '../dist/program.js';

/** Every `--help` fits a terminal of 80 columns, and what is said of flags a narrower one. */

const columns = 80;

describe('cutline', () => {
  test.each(commandsOf(createProgram()))('$name --help', ({ command }) => {
    expectToFit(helpOf(command));
  });

  test('retry --help on 50 columns', () => {
    const retry = createProgram().commands.find((each) => each.name() === 'retry') as Command;
    retry.configureOutput({ getOutHelpWidth: () => 50 });
    expectToFit(helpOf(retry), 50);
  });
});

describe.each(['encoder-worker', 'decoder-worker', 'captioner-worker', 'producer'])('%s', (app) => {
  test('--help', () => {
    const program = fileURLToPath(new URL(`../../${app}/dist/main.js`, import.meta.url));
    const { stdout, stderr, status } = spawnSync(process.execPath, [program, '--help'], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expectToFit(stdout);
  });
});

function expectToFit(help: string, width = columns): void {
  expect(help).toMatch(/^Usage: /);
  expect(help.split('\n').filter((line) => line.length > width)).toEqual([]);
}

function commandsOf(command: Command, before = ''): { name: string; command: Command }[] {
  const name = before + command.name();
  return [{ name, command }, ...command.commands.flatMap((each) => commandsOf(each, `${name} `))];
}

/** What it prints, examples included. */
function helpOf(command: Command): string {
  const texts: string[] = [];
  command.configureOutput({ writeOut: (text) => texts.push(text) }).outputHelp();
  return texts.join('');
}
