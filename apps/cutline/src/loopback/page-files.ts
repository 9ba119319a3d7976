/**
 * What a browser loads of a page: one document, its style and its scripts, and nothing of what it
 * is about. The policy lets nothing else load or run, and no text become markup (Trusted Types).
 */
import { readFile } from 'node:fs/promises';
import { type Html, html, icon } from '../gallery/index.ts';

export interface PageFile {
  type: string;
  bytes: Buffer;
  policy?: string;
}

export type PageFiles = ReadonlyMap<string, PageFile>;

export interface Page {
  title: string;
  body: Html;
  style: string;
  /** Folder of `dist` that its scripts were compiled to; the first one begins, with all it imports. */
  folder: string;
  scripts: readonly string[];
}

const policy =
  "default-src 'none'; img-src blob: data:; style-src 'self'; script-src 'self'; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; " +
  "trusted-types 'none'";

/** What pages share; see `client`. */
const sharedScripts = ['api', 'elements', 'format', 'visible-key'].map(
  (name) => `loopback/client/${name}`,
);

/** By path. Scripts are where they are to each other in `dist`, so that imports find them. */
export async function readPageFiles(page: Page): Promise<PageFiles> {
  const own = page.scripts.map((name) => `${page.folder}/${name}`);
  const document = Buffer.from(documentOf(page, own[0] ?? ''));
  const files = new Map<string, PageFile>([
    ['/', { type: 'text/html; charset=utf-8', bytes: document, policy }],
    ['/style.css', { type: 'text/css; charset=utf-8', bytes: Buffer.from(page.style) }],
  ]);
  for (const name of [...own, ...sharedScripts]) {
    const bytes = await readFile(new URL(`../${name}.js`, import.meta.url));
    files.set(`/${name}.js`, { type: 'text/javascript; charset=utf-8', bytes });
  }
  return files;
}

function documentOf({ title, body }: Page, script: string): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title} · Cutline</title>
<link rel="icon" href="${icon}">
<link rel="stylesheet" href="/style.css">
<script type="module" src="/${script}.js"></script>
</head>
<body>${body}
</body>
</html>
`.text;
}
