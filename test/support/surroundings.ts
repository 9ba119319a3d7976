/** What a process has from whoever started it. */
export interface Surroundings {
  env: NodeJS.ProcessEnv;
  cwd: string;
}

let kept: Surroundings | undefined;

/** This process's own, also while a command that runs in it has others: for those that it starts. */
export function surroundings(): Surroundings {
  return kept ?? { env: { ...process.env }, cwd: process.cwd() };
}

/** Before a command in this process gets others. */
export function keepSurroundings(): Surroundings {
  kept = surroundings();
  return kept;
}

/** Once it has its own again. */
export function releaseSurroundings(): void {
  kept = undefined;
}
