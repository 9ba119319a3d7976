import { createCommand } from '@cutline/shared/process';
import type { Command } from 'commander';
import { addCancel } from './commands/cancel.ts';
import { addCaption } from './commands/caption.ts';
import { addCompact } from './commands/compact.ts';
import { addDashboard } from './commands/dashboard.ts';
import { addDecode } from './commands/decode.ts';
import { addExport } from './commands/export.ts';
import { addExporter } from './commands/exporter.ts';
import { addGallery } from './commands/gallery.ts';
import { addLook } from './commands/look.ts';
import { addManifests } from './commands/manifests.ts';
import { addModel } from './commands/model.ts';
import { addPlan } from './commands/plan.ts';
import { addResults } from './commands/results.ts';
import { addResume } from './commands/resume.ts';
import { addRetry } from './commands/retry.ts';
import { addReview } from './commands/review.ts';
import { addRun } from './commands/run.ts';
import { addSidecars } from './commands/sidecars.ts';
import { addStatus } from './commands/status.ts';
import { addVerify } from './commands/verify.ts';
import { addWithdraw } from './commands/withdraw.ts';

const examples = `
Examples:
  cutline caption ./photos                       caption a folder here and now
  cutline caption ./photos -o captions.csv       into a file; again, it goes on
  cutline review captions.csv                    judge what was said

  export CUTLINE_OUTPUT=s3://captions            where the rest finds results
  cutline run s3://archive/1920s/ --run 1920s    caption a bucket with workers
  cutline status 1920s --watch                   how far it is
  cutline gallery 1920s -o page.html             look at the results`;

/** The command line with all its commands, not yet given any arguments. */
export function createProgram(): Command {
  const program = createCommand(
    'cutline',
    'Captions image archives, on one machine or on many.',
  ).helpCommand('help [command]', 'print the help of a command');
  addCaption(program);
  addLook(program);
  addPlan(program);
  addRun(program);
  addStatus(program);
  addResults(program);
  addResume(program);
  addRetry(program);
  addCancel(program);
  addDecode(program);
  addVerify(program);
  addCompact(program);
  addWithdraw(program);
  addExport(program);
  addGallery(program);
  addReview(program);
  addSidecars(program);
  addDashboard(program);
  addExporter(program);
  addManifests(program);
  addModel(program);
  program.addHelpText('after', examples);
  return program;
}
