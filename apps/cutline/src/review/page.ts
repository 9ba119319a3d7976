/**
 * What a browser loads of the page: one document, its style and its scripts, and nothing of the
 * run. The policy lets nothing else load or run, and no text become markup (Trusted Types).
 */
import { readFile } from 'node:fs/promises';
import { html, icon } from '../gallery/index.ts';
import { pageBody } from './page-body.ts';
import { pageStyle } from './page-style.ts';

export interface PageFile {
  type: string;
  bytes: Buffer;
  policy?: string;
}

const scripts = [
  'api',
  'elements',
  'filters',
  'image-list',
  'keys',
  'outbox',
  'pace',
  'pictures',
  'review',
  'show-item',
  'show-progress',
  'visible-key',
];

const policy =
  "default-src 'none'; img-src blob: data:; style-src 'self'; script-src 'self'; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; " +
  "trusted-types 'none'";

/** By path. */
export async function readPage(): Promise<ReadonlyMap<string, PageFile>> {
  const document = Buffer.from(pageDocument);
  const files = new Map<string, PageFile>([
    ['/', { type: 'text/html; charset=utf-8', bytes: document, policy }],
    ['/style.css', { type: 'text/css; charset=utf-8', bytes: Buffer.from(pageStyle) }],
  ]);
  for (const name of scripts) {
    // TypeScript of their own, compiled for browsers beside this file.
    const bytes = await readFile(new URL(`./client/${name}.js`, import.meta.url));
    files.set(`/${name}.js`, { type: 'text/javascript; charset=utf-8', bytes });
  }
  return files;
}

const pageDocument = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>Review · Cutline</title>
<link rel="icon" href="${icon}">
<link rel="stylesheet" href="/style.css">
<script type="module" src="/review.js"></script>
</head>
<body>${pageBody}
</body>
</html>
`.text;
