/** What the main thread and the second decoder's thread say to each other: one request at a time. */

import type { FailureClass } from '@cutline/shared/errors';
import type { TiffPage } from '../tiff/read-directories.ts';

export interface MagickSetup {
  wasmFile: string;
  /** The bytes of an ICC profile. */
  srgbProfile: Uint8Array;
}

export interface MagickRequest {
  bytes: Uint8Array<ArrayBuffer>;
  /** Width times height of the source. */
  pixelsMax: number;
  /** What is larger is made smaller, to so many pixels on its longer side. */
  sideMax: number;
  /** Of a TIFF that is to be made plain first: its picture. */
  page: TiffPage | undefined;
}

export type MagickReply =
  | {
      state: 'decoded';
      /** [decodedHeight, decodedWidth, 3], sRGB. */
      pixels: Uint8Array<ArrayBuffer>;
      decodedWidth: number;
      decodedHeight: number;
      /** Of the source as seen upright, in pixels. */
      width: number;
      height: number;
      /** What the file says of itself, by name, for a person. */
      facts: Record<string, string>;
    }
  | { state: 'too-large'; width: number; height: number }
  /** With a class where the message is one to be shown, not ImageMagick's. */
  | { state: 'failed'; failureClass?: FailureClass; message: string };
