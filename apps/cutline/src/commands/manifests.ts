import { outputLocation, requestName } from '@cutline/pipeline';
import { UserError } from '@cutline/shared/errors';
import { addSettings, version } from '@cutline/shared/process';
import { addRunFlags, type RunFlags, selectionOf } from '@cutline/shared/run';
import { parseLocation } from '@cutline/shared/stores';
import type { Command } from 'commander';
import { givenFlags } from '../kubernetes/given-flags.ts';
import { producerJob } from '../kubernetes/producer-job.ts';
import { producingSettings } from '../watch/follow-run.ts';

interface ManifestFlags extends RunFlags {
  image: string;
  namespace: string;
}

export function addManifests(program: Command): void {
  const command = program
    .command('manifests')
    .description('Print the Kubernetes Job that produces a run, with the flags of "cutline run".')
    .argument('<source>', 'images: s3://bucket/prefix')
    .option('--image <image>', 'container image that has the producer', `cutline:${version}`)
    .option('--namespace <name>', 'Kubernetes namespace that has the workers', 'cutline');
  addSettings(addRunFlags(command), [...producingSettings, 'model']).action(
    async (source: string, flags: ManifestFlags) => {
      const run = requestName(flags.run, new Date());
      requireReachable(source, flags);
      const given = givenFlags(command, flagsOfProducer(command)).filter(
        (flag) => !flag.startsWith('--run='),
      );
      tellOfLeftOut(command);
      const { image, namespace } = flags;
      // It may be started again, in another pod, and then goes on.
      const args = [source, `--run=${run}`, ...given, '--go-on'];
      const { stringify } = await import('yaml'); // which no other command needs
      process.stdout.write(
        stringify(producerJob({ run, args, image, namespace }), { lineWidth: 0 }),
      );
    },
  );
}

/** Settings that a cluster has from its Secrets and ConfigMap. */
const ofTheCluster = ['redis', 'features'];
const ofTheManifest = ['image', 'namespace'];

function flagsOfProducer(command: Command): string[] {
  return command.options
    .map((option) => option.attributeName())
    .filter((name) => ![...ofTheCluster, ...ofTheManifest].includes(name));
}

function tellOfLeftOut(command: Command): void {
  for (const flag of givenFlags(command, ofTheCluster)) {
    const [name] = flag.split('=');
    process.stderr.write(
      `cutline: ${name} is left out: in the cluster, it is in the Secret cutline-redis, or among ` +
        'the settings of the workers.\n',
    );
  }
}

/** @throws UserError for what a pod would not find, or what contradicts itself */
function requireReachable(source: string, flags: ManifestFlags): void {
  selectionOf(flags);
  const { output, keysFrom, keepFeatures } = flags;
  outputLocation(flags);
  const places: [what: string, place: string | undefined][] = [
    ['The source', source],
    ['--output', output],
    ['--keep-features', keepFeatures === 'output' ? undefined : keepFeatures],
    ['--keys-from', keysFrom],
  ];
  for (const [what, place] of places) {
    if (place === undefined || parseLocation(place).store.startsWith('s3://')) continue;
    throw new UserError(
      `${what} is ${JSON.stringify(place)}: a pod finds nothing of this machine; give s3://bucket/…`,
    );
  }
}
