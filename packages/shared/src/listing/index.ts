export { type ListImagesOptions, listImages } from './list-images.ts';
export { requireKeysList } from './read-keys.ts';
