export { takeDraw } from './draw-images.ts';
export { ImageIndex } from './image-index.ts';
export { Previews } from './previews.ts';
export { ReviewSession, type SessionContext } from './review-session.ts';
export { serveReview } from './serve-review.ts';
