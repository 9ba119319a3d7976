export { Draw, seededRandom } from './draw.ts';
export { listAhead } from './list-ahead.ts';
export {
  isSidecarName,
  type ListedImage,
  type ListImagesOptions,
  listImages,
  listWithClasses,
} from './list-images.ts';
export { FirstPlaces } from './lists/first-places.ts';
export { requireKeysList } from './lists/read-keys.ts';
export { SeenKeys } from './lists/seen-keys.ts';
