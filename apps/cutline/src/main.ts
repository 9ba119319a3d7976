import { refuseUnknownVariables, runProgram, runService } from '@cutline/shared/process';
import { createProgram } from './program.ts';
import { fit } from './terminal/say.ts';

// The exporter is the one command that logs for machines.
if (process.argv[2] === 'exporter') await runService('exporter', main);
else await runProgram('cutline', main, (text) => fit(process.stderr, text));

async function main(): Promise<void> {
  endWithReader();
  refuseUnknownVariables(process.env);
  await createProgram().parseAsync();
}

/** `cutline … | head` reads no further than it wants: that is a good end. */
function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
}
