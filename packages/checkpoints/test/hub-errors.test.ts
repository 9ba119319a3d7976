import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fetchSnapshot } from '@cutline/checkpoints/hub';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from './support/checkpoint-folder.ts';
import { FakeHub, type FakeRepo } from './support/fake-hub.ts';
import { config, expectRefusal, fetchFrom, files, quick, weights } from './support/hub-fetches.ts';

const tokens = ['hf_friend'];

test.each<[string, FakeRepo | undefined, { token?: string; revision?: string }, RegExp]>([
  [
    'a repository that is not there',
    undefined,
    {},
    /no repository org\/model: check how it is spelt; if it is private, set HF_TOKEN/,
  ],
  [
    'a private one, for strangers',
    { files, tokens },
    {},
    /if it is private, set HF_TOKEN to a token that may/,
  ],
  [
    'a private one, for others',
    { files, tokens },
    { token: 'hf_other' },
    /HF_TOKEN has to be a token that may read it/,
  ],
  [
    'a gated one, for strangers',
    { files, tokens, gated: true },
    {},
    /org\/model is gated: accept its licence at http:\/\/127\.0\.0\.1:\d+\/org\/model, and set HF_TOKEN/,
  ],
  [
    'a gated one, for others',
    { files, tokens, gated: true },
    { token: 'hf_other' },
    /gated: accept its licence at \S+ with the account whose token this is/,
  ],
  [
    'a token that is none',
    { files },
    { token: 'expired' },
    /does not accept the token: set HF_TOKEN to one of \S+\/settings\/tokens/,
  ],
  [
    'a revision that is not there',
    { files },
    { revision: 'v9' },
    /no revision 'v9': see \S+\/org\/model\/tree\/main/,
  ],
])('%s is said in one line that says what to do', async (_, repo, request, message) => {
  const hub = await FakeHub.start(repo ? { 'org/model': repo } : {});
  await expectRefusal(fetchFrom({ hub, ...request }), message);
  const error = await fetchFrom({ hub, ...request }).catch((e: Error) => e.message);
  expect(error).not.toContain('hf_other');
});

test('a hub that cannot be reached is said to be, with what can be done', async () => {
  const hub = await FakeHub.start();
  hub.stop();
  await expectRefusal(
    fetchFrom({ hub }),
    /^127\.0\.0\.1:\d+ cannot be reached \(ECONNREFUSED\), after 4 tries: check the network, set HF_ENDPOINT to a mirror, or HF_HUB_OFFLINE=1/,
  );
});

test('a host that has no address is said to have none', async () => {
  const fetching = fetchSnapshot({
    repo: 'org/model',
    wanted: () => true,
    settings: { endpoint: 'http://nowhere.invalid', cacheFolder: '/nonexistent', isOffline: false },
    patience: { ...quick, triesMax: 1 },
  });
  await expectRefusal(fetching, /^nowhere\.invalid cannot be reached \((ENOTFOUND|EAI_AGAIN)\)/);
});

test('a disk that is too small is said to be, before anything is fetched', async () => {
  const hub = await FakeHub.start({
    'org/model': { files: { 'config.json': config, x: { ...weights, claims: { bytes: 4e15 } } } },
  });
  const cacheFolder = await temporaryFolder();
  await expectRefusal(
    fetchFrom({ hub, cacheFolder }),
    new RegExp(
      `^4000000\\.0 GB are needed in ${cacheFolder}/\\S+, and [\\d.]+ GB are free: .*HF_HUB_CACHE`,
    ),
  );
  expect(hub.downloads).toEqual([]);
});

test('a cache that cannot be written is said to be', async () => {
  const hub = await FakeHub.start({ 'org/model': { files } });
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'file'), '');
  await expectRefusal(
    fetchFrom({ hub, cacheFolder: join(folder, 'file') }),
    /file cannot be written \(ENOTDIR.*: set HF_HUB_CACHE to a folder that can\.$/,
  );
  if (process.getuid?.() === 0) return; // who may write everywhere
  await mkdir(join(folder, 'closed'));
  await chmod(join(folder, 'closed'), 0o500);
  await expectRefusal(fetchFrom({ hub, cacheFolder: join(folder, 'closed') }), /cannot be written/);
});

test.each([
  '',
  'a/b/c',
  '../x',
  'org/..',
  'org/--x',
  'org model',
  'https://hub/org/model',
  '-x/y',
  'a/b?c',
])('%j is no name of a repository', async (repo) => {
  const hub = await FakeHub.start();
  await expectRefusal(fetchFrom({ hub, repo }), /is not a repository of the Hugging Face hub/);
  expect(hub.requests).toEqual([]);
});

test.each(['', '../main', '/main', 'a//b', 'ma in', 'main\0', 'main~1', 'a\\b'])(
  '%j is no revision',
  async (revision) => {
    const hub = await FakeHub.start();
    await expectRefusal(fetchFrom({ hub, revision }), /is not a branch, a tag or a commit/);
    expect(hub.requests).toEqual([]);
  },
);

describe('a server that is not to be trusted', () => {
  test.each([
    '../../../x',
    '/etc/x',
    'a/../../x',
    'a\0',
    'a\\..\\x',
    'C:/x',
    'a//b',
    '.',
    'a\u001b[2J',
  ])('is refused when it names the file %j', async (name) => {
    const hub = await FakeHub.start({ 'org/model': { files: { ...files, [name]: config } } });
    const cacheFolder = await temporaryFolder();
    await expectRefusal(
      fetchFrom({ hub, cacheFolder }),
      /would not stay in its folder: it is refu/,
    );
    expect(hub.downloads).toEqual([]);
    // What nobody wants is of no interest.
    await fetchFrom({ hub, cacheFolder, wanted: (wanted) => wanted in files });
  });

  test.each(['../../x', 'x', '', 'A'.repeat(64)])(
    'is refused when it gives the hash %j',
    async (etag) => {
      const hub = await FakeHub.start({
        'org/model': { files: { x: { ...config, claims: { etag } } } },
      });
      await expectRefusal(fetchFrom({ hub }), /does not say what 'x' of org\/model should be/);
      expect(hub.downloads).toEqual([]);
    },
  );

  test.each(['../x', 'main', 'C0FFEE'.padEnd(40, '0')])(
    'is refused when it gives the commit %j',
    async (commit) => {
      const hub = await FakeHub.start({ 'org/model': { files, commit } });
      await expectRefusal(fetchFrom({ hub }), /does not answer as a Hugging Face hub does/);
    },
  );

  test('is refused when it gives another commit than was asked for', async () => {
    const hub = await FakeHub.start({ 'org/model': { files } });
    const asked = 'a'.repeat(40);
    hub.repos.set('org/other', { files, commit: asked });
    hub.renamed.set('org/x', 'org/other');
    const liar = await FakeHub.start({ 'org/model': { files, commit: asked } });
    liar.repos.get('org/model')!.commit = asked;
    await fetchFrom({ hub: liar, revision: asked });
    await expectRefusal(fetchFrom({ hub, revision: asked }), /no revision/);
  });

  test.each([
    ['file:///etc/passwd', /redirects to what is not an address, or not a safe one/],
    ['http://[', /redirects to what is not an address/],
    ['/', /redirects in a circle: check HF_ENDPOINT/],
  ])('is refused when it redirects to %s', async (location, message) => {
    const hub = await FakeHub.start({ 'org/model': { files } });
    hub.fail(/./, { status: 302, location }, 20);
    await expectRefusal(fetchFrom({ hub }), message);
    expect(hub.requests.length).toBeLessThanOrEqual(11);
  });

  test('gets no token for another host, wherever it redirects to', async () => {
    const hub = await FakeHub.start({ 'org/model': { files } });
    hub.fail(/^\/api/, { status: 302, location: `${hub.elsewhere}/api` });
    const user = new URL(hub.elsewhere);
    user.username = 'me';
    user.password = 'secret';
    hub.fail(/resolve/, { status: 307, location: user.href });
    await fetchFrom({ hub, token: 'hf_secret' }).catch(() => {});
    await fetchFrom({ hub, token: 'hf_secret' }).catch(() => {});
    const elsewhere = hub.requests.filter(({ host }) => host === 'elsewhere');
    expect(elsewhere.length).toBeGreaterThanOrEqual(2);
    expect(elsewhere.filter(({ authorization }) => authorization)).toEqual([]);
  });

  test('is given up when it sends a list without end', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 1000 }, (_, i) => [`${'x'.repeat(70_000)}${i}`, config]),
    );
    const hub = await FakeHub.start({ 'org/model': { files } });
    await expectRefusal(fetchFrom({ hub }), /answers with more than 67108864 bytes/);
  });
});
