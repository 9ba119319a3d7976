import { refuseUnknownVariables, runProgram } from '@cutline/shared';
import { Command } from 'commander';
import { addCaption } from './commands/caption.ts';
import { addGallery } from './commands/gallery.ts';
import { addModel } from './commands/model.ts';
import { addResults } from './commands/results.ts';
import { addResume } from './commands/resume.ts';
import { addRetry } from './commands/retry.ts';
import { addRun } from './commands/run.ts';
import { addStatus } from './commands/status.ts';

const examples = `
Examples:
  cutline caption ./photos                      caption a folder here and now
  cutline caption ./photos --json > rows.jsonl  the same, for machines
  cutline run s3://archive/1920s/ -o s3://captions
                                                caption a bucket with the workers
  cutline status 20261122-204312 --watch        how far it is
  cutline gallery 20261122-204312 -o page.html  look at the results`;

await runProgram('cutline', async () => {
  refuseUnknownVariables(process.env);
  const program = new Command('cutline')
    .description('Captions image archives, on one machine or on many.')
    .version('0.1.0')
    .showHelpAfterError('(add --help to see what there is)')
    .configureHelp({ showGlobalOptions: true });
  addCaption(program);
  addRun(program);
  addStatus(program);
  addResults(program);
  addResume(program);
  addRetry(program);
  addGallery(program);
  addModel(program);
  program.addHelpText('after', examples);
  await program.parseAsync();
});
