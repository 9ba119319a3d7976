export { listAhead } from './list-ahead.ts';
export { isSidecarName, type ListImagesOptions, listImages } from './list-images.ts';
export { requireKeysList } from './open-list.ts';
export { SeenKeys } from './seen-keys.ts';
