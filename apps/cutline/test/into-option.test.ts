import { readdir } from 'node:fs/promises';
import { addRunFlags } from '@cutline/shared/run';
import { Command } from 'commander';
import { expect, test } from 'vitest';

/** Every command there is, subcommands of commands included, by its name. */
async function allCommands(): Promise<Map<string, Command>> {
  const program = new Command().exitOverride();
  const folder = new URL('../dist/commands/', import.meta.url);
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.js')) continue;
    const { default: _, ...added } = await import(new URL(name, folder).href);
    for (const add of Object.values(added)) (add as (program: Command) => void)(program);
  }
  const all = new Map<string, Command>();
  const gather = (command: Command, name: string) => {
    all.set(name, command);
    for (const each of command.commands) gather(each, `${name} ${each.name()}`.trim());
  };
  gather(program, '');
  return all;
}

test('-o is what a command writes, in all that write a file, and in no other', async () => {
  const commands = [...(await allCommands())];
  const named = commands.flatMap(([name, { options }]) =>
    options
      .filter(({ short, hidden }) => short === '-o' && !hidden)
      .map(({ long }) => [name, long]),
  );
  expect(named.toSorted()).toEqual(
    ['caption', 'export', 'gallery', 'look', 'model add', 'model export'].map((name) => [
      name,
      '--into',
    ]),
  );
});

test('where runs are has one long name, and no letter', async () => {
  for (const [name, { options }] of await allCommands()) {
    const output = options.find(({ long }) => long === '--output');
    if (output) expect([name, output.flags]).toEqual([name, '--output <location>']);
  }
});

/** What a command makes of its arguments, without doing it. */
async function parsed(name: string, ...args: string[]) {
  const command = (await allCommands()).get(name);
  command?.action(() => {}).exitOverride();
  await command?.parseAsync(args, { from: 'user' });
  return command?.opts();
}

test.each([
  ['caption', ['photos', '--results', 'there']],
  ['gallery', ['r1', '--page', 'there']],
  ['look', ['photo.jpg', '--seen', 'there']],
  ['export', ['r1', '--to', 'csv', '--file', 'there']],
  ['model export', ['blip', '--to', 'there']],
])('%s: the long name that scripts have goes on', async (name, args) => {
  expect(await parsed(name, ...args)).toMatchObject({ into: 'there' });
});

test('so does -o of run, before the environment', async () => {
  const command = addRunFlags(new Command()).action(() => {});
  await command.parseAsync(['-o', 's3://captions'], { from: 'user' });
  expect(command.opts()).toMatchObject({ output: 's3://captions' });
  expect(await parsed('run', 'photos', '-o', 'out')).toMatchObject({ output: 'out' });
});

test('a model is exported only where it is said where', async () => {
  await expect(parsed('model export', 'blip')).rejects.toThrow(/-o, --into <folder>/);
});
