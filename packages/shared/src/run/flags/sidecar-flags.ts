import { type Command, InvalidArgumentError, Option } from 'commander';
import { type ExistingRule, existingRules, type SidecarKind, sidecarKinds } from '../sidecars.ts';
import { addGroup, decimal } from './flag-parsers.ts';

/** The flags about files beside images, for all that writes some. */
export interface SidecarFlags {
  sidecars: SidecarKind[];
  existing: ExistingRule;
  minScore?: number;
}

/** Which files are written beside images. */
export function sidecarKindsOption(description: string): Option {
  return new Option('--sidecars <kinds>', description).argParser(parseSidecars);
}

/** What becomes of files beside images that others wrote. */
export function existingOption(): Option {
  return new Option(
    '--existing <rule>',
    'sidecars that others wrote: keep, merge (XMP), replace them',
  ).choices(existingRules);
}

/** Which files are written beside images, and by which rules. */
export function addSidecarFlags(command: Command): Command {
  return addGroup(command, 'Files beside images:', sidecarOptions());
}

export const sidecarOptions = () => [
  sidecarKindsOption('also write beside each image: txt, json, xmp (with commas)').default([]),
  existingOption().default('keep'),
  minScoreOption('sidecars only of captions with this score or more'),
];

/** For whatever leaves out captions that the model was not sure of. */
export function minScoreOption(description: string): Option {
  return new Option('--min-score <score>', description).argParser(decimal({ min: -1000, max: 0 }));
}

function parseSidecars(text: string): SidecarKind[] {
  return text.split(',').map((name) => {
    const kind = sidecarKinds.find((each) => each === name);
    if (kind) return kind;
    throw new InvalidArgumentError(`Expected some of ${sidecarKinds.join(', ')}, with commas.`);
  });
}
