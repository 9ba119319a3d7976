import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/** How the source is laid out, kept as docs/ARCHITECTURE.md says it is. */

const root = fileURLToPath(new URL('..', import.meta.url));

/** What a workspace may import of ours. Apps know packages, and never one another. */
const directions: Record<string, readonly string[]> = {
  'packages/captioner': [],
  'packages/shared': ['@cutline/captioner'], // caption-options alone, see below
  'packages/checkpoints': ['@cutline/shared'],
  'packages/evaluation': [],
  'packages/inference': ['@cutline/captioner', '@cutline/shared'],
  'packages/pipeline': ['@cutline/inference', '@cutline/shared'],
};
const packages = Object.keys(directions).map((folder) => folder.replace('packages/', '@cutline/'));

const linesMax = 300;
/** Longer for a reason. */
const longFiles = new Map([
  ['packages/shared/src/process/settings.ts', 'one table, a row a setting'],
]);

const workspaces = ['packages', 'apps'].flatMap((group) =>
  readdirSync(join(root, group), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${group}/${entry.name}`),
);

test('there are workspaces to look at', () => {
  expect(workspaces).toEqual(
    expect.arrayContaining(['packages/captioner', 'packages/shared', 'apps/encoder-worker']),
  );
});

describe.each(workspaces)('%s', (workspace) => {
  const files = sourceFiles(join(root, workspace, 'src'));
  const allowed = workspace.startsWith('apps/') ? packages : directions[workspace];
  const manifest = JSON.parse(readFileSync(join(root, workspace, 'package.json'), 'utf8'));
  const declared = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });

  test('imports what it may, and says so in package.json', () => {
    expect(files.length).toBeGreaterThan(0);
    expect(allowed, `directions of ${workspace}`).toBeDefined();
    for (const file of files) {
      for (const specifier of importsOf(file.text)) {
        const where = `${file.path} imports ${specifier}`;
        if (specifier.startsWith('.')) {
          const target = relative(
            join(root, workspace, 'src'),
            join(root, file.path, '..', specifier),
          );
          expect(target.startsWith('..'), `${where}, of another workspace`).toBe(false);
        } else if (!isBuiltin(specifier)) {
          const name = packageName(specifier);
          if (name.startsWith('@cutline/')) expect(allowed, where).toContain(name);
          expect(declared, where).toContain(name);
        }
      }
    }
  });

  test('has files that are each about one thing, and say which', () => {
    for (const { path, text } of files) {
      const lines = text.trimEnd().split('\n');
      if (!longFiles.has(path)) expect(lines.length, path).toBeLessThanOrEqual(linesMax);
      const onlyExports = lines.every((line) =>
        /^(export .* from '.*';|export \{|\} from '.*';| {2}.*,|)$/.test(line),
      );
      const isCommand = /\.description\('/.test(text); // what it says of itself with --help
      const isTold = text.includes('/**') || isCommand || onlyExports;
      expect(isTold, `${path} has a header comment`).toBe(true);
    }
  });
});

test('the captioner computes: no network, files, clock or environment but in its engines', () => {
  const files = sourceFiles(join(root, 'packages/captioner/src')).filter(
    ({ path }) => !path.includes('/src/engines/'),
  );
  for (const { path, text } of files) {
    const builtins = importsOf(text).filter(isBuiltin);
    expect(
      builtins.filter((name) => name !== 'node:crypto'),
      path,
    ).toEqual([]);
    expect(withoutComments(text), path).not.toMatch(
      /\b(process\.|fetch\(|Date\b|performance\.|Math\.random|setTimeout|setInterval)/,
    );
  }
});

test('what stands below everything knows of captioners only how they are asked to search', () => {
  const imports = sourceFiles(join(root, 'packages/shared/src')).flatMap(({ text }) =>
    importsOf(text).filter((specifier) => specifier.startsWith('@cutline/')),
  );
  expect(new Set(imports)).toEqual(new Set(['@cutline/captioner/caption-options']));
});

test('nothing but the implementation of queues on BullMQ knows of it', () => {
  const knowing = workspaces
    .flatMap((workspace) => sourceFiles(join(root, workspace, 'src')))
    .filter(({ text }) => importsOf(text).includes('bullmq'))
    .map(({ path }) => path);
  const queues = 'packages/pipeline/src/queue';
  expect(knowing).toEqual([
    `${queues}/bullmq-load.ts`,
    `${queues}/bullmq-queue.ts`,
    `${queues}/bullmq-taker.ts`,
  ]);
});

test('nothing but the way there loads OpenTelemetry, and nothing loads that before it is asked for', () => {
  const files = workspaces.flatMap((workspace) => sourceFiles(join(root, workspace, 'src')));
  const process = 'packages/shared/src/process';
  const knowing = files.filter(({ text }) => text.includes('@opentelemetry/'));
  expect(knowing.map(({ path }) => path)).toEqual([`${process}/otel-tracing.ts`]);
  const leading = files.filter(({ text }) => text.includes('/otel-tracing.ts'));
  expect(leading.map(({ path }) => path)).toEqual([`${process}/open-tracing.ts`]);
  expect(leading[0]?.text).toContain("await import('./otel-tracing.ts')");
});

test('inference threads load nothing that reaches the network, the queues or sharp', () => {
  const loaded = new Set<string>();
  const load = (path: string) => {
    if (loaded.has(path)) return;
    loaded.add(path);
    const text = readFileSync(join(root, path), 'utf8').replaceAll(/^import type [^;]*;/gm, '');
    for (const specifier of importsOf(text)) {
      if (specifier.startsWith('.')) load(join(path, '..', specifier));
      else if (!isBuiltin(specifier)) loaded.add(specifier);
    }
  };
  load('packages/inference/src/inference-thread.ts');
  expect([...loaded].filter((name) => !name.startsWith('packages/inference/src/'))).toEqual([
    '@cutline/captioner',
    '@cutline/shared/errors',
  ]);
  const errors = readFileSync(join(root, 'packages/shared/src/errors.ts'), 'utf8');
  expect(importsOf(errors)).toEqual([]);
});

test('a command that starts loads nothing that only some others need', () => {
  const loaded = new Set<string>();
  const load = (path: string) => {
    if (loaded.has(path)) return;
    loaded.add(path);
    const text = readFileSync(join(root, path), 'utf8')
      .replaceAll(/^(import|export) type [^;]*;/gm, '')
      .replaceAll(/\bimport\(/g, ''); // when it is asked for
    for (const specifier of importsOf(text)) {
      if (specifier.startsWith('.')) load(join(path, '..', specifier));
      else if (specifier.startsWith('@cutline/')) load(entryOf(specifier));
      else if (!isBuiltin(specifier)) loaded.add(packageName(specifier));
    }
  };
  load('apps/cutline/src/main.ts');
  expect(loaded).toContain('commander');
  const others =
    /^(@aws-sdk|@tensorflow|bullmq|csv-parse|hyparquet|ioredis|onnxruntime|sharp|yaml)/;
  expect([...loaded].filter((name) => others.test(name))).toEqual([]);
  expect([...loaded].filter((name) => name.startsWith('packages/checkpoints/'))).toEqual([]);
});

test('imports are found, however they are written', () => {
  const text = `
    import a, { type B } from 'one';
    import {
      c,
    } from 'two';
    import 'three';
    export * from 'four';
    const five = await import('five');
    /** Takes it from 'six'. */
    // import 'seven';
    import.meta.resolve('eight');
  `;
  expect(importsOf(text)).toEqual(['one', 'two', 'three', 'four', 'five']);
});

interface SourceFile {
  /** From the root of the project. */
  path: string;
  text: string;
}

function sourceFiles(folder: string): SourceFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .toSorted()
    .map((name) => {
      const path = join(folder, name);
      return { path: relative(root, path), text: readFileSync(path, 'utf8') };
    });
}

/** Specifiers of imports and re-exports, static and dynamic, in their order. */
function importsOf(text: string): string[] {
  const pattern =
    /^\s*(?:import|export)\s[^;'"]*?from\s+'([^']+)'|^\s*import\s+'([^']+)'|\bimport\(\s*'([^']+)'/gm;
  return [...withoutComments(text).matchAll(pattern)].map(
    ([, from, bare, dynamic]) => (from ?? bare ?? dynamic) as string,
  );
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');
}

/** `@scope/name` of `@scope/name/path`, `name` of `name/path`. */
function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** The source of what an import of ours means, as its package says. */
function entryOf(specifier: string): string {
  const [, name, ...rest] = specifier.split('/');
  const manifest = JSON.parse(readFileSync(join(root, 'packages', name!, 'package.json'), 'utf8'));
  const built = manifest.exports[['.', ...rest].join('/')].default as string;
  return join('packages', name!, built.replace('dist', 'src').replace(/js$/, 'ts'));
}
