export type { AttentionGrid } from './attention.ts';
export type { Gallery, GalleryRun, GalleryTotals } from './gallery.ts';
export { makeThumbnail, type Thumbnail } from './thumbnail.ts';
export { type GalleryLimits, type GallerySummary, writeGallery } from './write-gallery.ts';
