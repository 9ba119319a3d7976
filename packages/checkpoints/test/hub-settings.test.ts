import { mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { readHubSettings } from '@cutline/checkpoints/hub';
import { expect, test } from 'vitest';
import { temporaryFolder } from './support/checkpoint-folder.ts';
import { expectRefusal } from './support/hub-fetches.ts';

test('without anything set, it is the public hub and the usual cache', async () => {
  const home = await temporaryFolder();
  expect(
    await readHubSettings({ XDG_CACHE_HOME: home, HF_TOKEN: ' ', HF_HUB_OFFLINE: '0' }),
  ).toEqual({
    endpoint: 'https://huggingface.co',
    isOffline: false,
    cacheFolder: join(home, 'huggingface/hub'),
  });
  const { cacheFolder } = await readHubSettings({ HF_HOME: '~/models', HF_TOKEN: 'hf_x' });
  expect(cacheFolder).toBe(join(homedir(), 'models/hub'));
});

test('everything can be set', async () => {
  const env = {
    HF_ENDPOINT: 'https://mirror.example/hub/',
    HF_TOKEN: ' hf_token\n',
    HF_HUB_OFFLINE: 'True',
    HF_HOME: '/elsewhere',
    HF_HUB_CACHE: '/cache',
  };
  expect(await readHubSettings(env)).toEqual({
    endpoint: 'https://mirror.example/hub',
    token: 'hf_token',
    isOffline: true,
    cacheFolder: '/cache',
  });
});

test('the token of a login is used, where none is set', async () => {
  const home = await temporaryFolder();
  await mkdir(join(home, 'other'));
  await writeFile(join(home, 'token'), 'hf_login\n');
  await writeFile(join(home, 'other/token'), 'hf_other');
  const tokenOf = async (env: Record<string, string>) =>
    (await readHubSettings({ HF_HOME: home, ...env })).token;
  expect(await tokenOf({})).toBe('hf_login');
  expect(await tokenOf({ HF_TOKEN: 'hf_set' })).toBe('hf_set');
  expect(await tokenOf({ HF_TOKEN_PATH: join(home, 'other/token') })).toBe('hf_other');
});

test.each([
  [{ HF_ENDPOINT: 'huggingface.co' }, /^HF_ENDPOINT should be a URL/],
  [{ HF_ENDPOINT: 'file:///etc' }, /^HF_ENDPOINT should be a URL/],
  [{ HF_ENDPOINT: 'https://me:secret@hub' }, /^HF_ENDPOINT should be a URL.*without a user/],
  [{ HF_TOKEN: 'hf_a\nhost: x' }, /^HF_TOKEN is not a token/],
  [{ HF_TOKEN_PATH: '/nowhere/token' }, /^HF_TOKEN_PATH: \/nowhere\/token cannot be read/],
])('%j is refused by its name, without what is secret', async (env, message) => {
  const settings = readHubSettings({ HF_HOME: '/nowhere', ...env });
  await expectRefusal(settings, message);
  await settings.catch((error: Error) => expect(error.message).not.toMatch(/secret|hf_a/));
});
