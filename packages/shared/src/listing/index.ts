export { listImages } from './list-images.ts';
export { type ListedKey, readKeys, requireKeysList } from './read-keys.ts';
