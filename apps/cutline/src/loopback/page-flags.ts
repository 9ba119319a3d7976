import { describeError } from '@cutline/shared/errors';
import { wholeNumber } from '@cutline/shared/run';
import { type Command, Option } from 'commander';
import type { PageServing } from './serve-page.ts';

/** Where the page of a command is, for all that open one. */
export interface PageFlags {
  port: number;
  allowHost: string[];
}

export function addPageFlags(command: Command): Command {
  return command
    .addOption(
      new Option('--port <n>', 'of the page, on 127.0.0.1')
        .argParser(wholeNumber({ min: 0, max: 65_535 }))
        .default(0, 'a free one'),
    )
    .option(
      '--allow-host <name...>',
      'names under which a proxy serves the page (see docs/REVIEW.md)',
      [],
    );
}

/** What the server of the page takes of them. What goes wrong with nobody to blame is printed. */
export function pageServing({ port, allowHost }: PageFlags): PageServing {
  return {
    port,
    allowedHosts: allowHost.map((host) => host.toLowerCase()),
    onError: (error) => void process.stderr.write(`${describeError(error)}\n`),
  };
}
