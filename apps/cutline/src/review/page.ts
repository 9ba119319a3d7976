import type { Page } from '../loopback/page-files.ts';
import { pageBody } from './page-body.ts';
import { pageStyle } from './page-style.ts';

/** The page of a review. */
export const reviewPage: Page = {
  title: 'Review',
  body: pageBody,
  style: pageStyle,
  folder: 'review/client',
  scripts: [
    'review',
    'filters',
    'image-list',
    'keys',
    'outbox',
    'pace',
    'pictures',
    'show-item',
    'show-progress',
  ],
};
