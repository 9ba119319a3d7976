import { readFileSync } from 'node:fs';

/** infra/Dockerfile as BuildKit sees it: stages that stand on one another, chosen by arguments. */

export interface Stage {
  /** An earlier stage or an image, with the arguments' values in place. */
  from: string;
  instructions: readonly Instruction[];
}

export interface Instruction {
  /** COPY, RUN, … */
  name: string;
  /** What follows, continuation lines joined. */
  rest: string;
}

/**
 * @param args as given with --build-arg, over those that the file begins with
 * @returns the stages by name, in their order
 */
export function readDockerfile(args: Record<string, string> = {}): Map<string, Stage> {
  const values: Record<string, string> = {};
  const stages = new Map<string, Stage>();
  let instructions: Instruction[] | undefined;
  for (const instruction of parse(readFileSync(file, 'utf8'))) {
    const { name, rest } = instruction;
    if (name === 'FROM') {
      const { image = '', stage = '' } =
        /^(?<image>\S+) AS (?<stage>\S+)$/.exec(rest)?.groups ?? {};
      if (!stage) throw new Error(`Expected FROM <image> AS <stage>, found FROM ${rest}`);
      instructions = [];
      stages.set(substitute(stage, values), { from: substitute(image, values), instructions });
    } else if (instructions) {
      instructions.push(instruction);
    } else if (name === 'ARG') {
      const [argument = '', value = ''] = rest.split('=');
      values[argument] = args[argument] ?? value;
    }
  }
  return stages;
}

/** What a stage is made of, from its base image on: a stage and all that it stands on. */
export function imageOf(stages: Map<string, Stage>, target: string): Stage {
  const stage = stages.get(target);
  if (!stage) throw new Error(`The Dockerfile has no stage ${target}`);
  if (!stages.has(stage.from)) return stage;
  const base = imageOf(stages, stage.from);
  return { from: base.from, instructions: [...base.instructions, ...stage.instructions] };
}

const file = new URL('../../infra/Dockerfile', import.meta.url);

function parse(text: string): Instruction[] {
  return text
    .replace(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [name = '', ...rest] = line.split(' ');
      return { name, rest: rest.join(' ') };
    });
}

function substitute(text: string, values: Record<string, string>): string {
  return text.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => values[name] ?? '');
}
