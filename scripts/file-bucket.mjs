// @ts-check

import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { inPackage } from './s3-server.mjs';

const { S3Error } = await inPackage('./common/errors.js');

/**
 * A bucket of `s3-server.mjs` whose objects are files: what is in memory is their names, and of
 * bytes what is being sent: those of one file a request.
 *
 * @typedef {{ key: string, body: Buffer, contentType: string, contentLength: number,
 *   etag: string, lastModified: Date, metadata: Record<string, string> }} S3Object
 *
 * @extends {Map<string, S3Object>}
 */
export class FileBucket extends Map {
  /** Of files that were there. @type {Map<string, string>} path by key */
  #paths = new Map();
  #folder;

  /** @param {string} [folder] where what is put is written; without one, nothing may be put */
  constructor(folder) {
    super();
    this.#folder = folder;
  }

  /**
   * Makes a file that is there an object.
   *
   * @param {string} key
   * @param {string} path
   */
  addFile(key, path) {
    const { size, mtime, mtimeMs } = statSync(path);
    const version = `${path}\n${size}\n${mtimeMs}`;
    this.#paths.set(key, path);
    this.#show(path, {
      key,
      contentType: 'application/octet-stream',
      contentLength: size,
      etag: `"${createHash('md5').update(version).digest('hex')}"`,
      lastModified: mtime,
      metadata: {},
    });
  }

  /**
   * The files are somebody's, who may change or delete them meanwhile.
   *
   * @override
   * @param {string} key
   */
  get(key) {
    const path = this.#paths.get(key);
    if (path === undefined) return super.get(key);
    try {
      accessSync(path, constants.R_OK);
      this.addFile(key, path);
    } catch (error) {
      const { code } = /** @type {NodeJS.ErrnoException} */ (error);
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw refusal(`${key} may not be read.`);
      this.#paths.delete(key);
      super.delete(key);
    }
    return super.get(key);
  }

  /**
   * Whole or not at all, also for somebody who looks into the folder meanwhile.
   *
   * @override
   * @param {string} key
   * @param {S3Object} object
   */
  set(key, object) {
    const path = this.#pathToWrite(key);
    const whole = join(dirname(path), `.${basename(path)}.part`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(whole, object.body);
    renameSync(whole, path);
    this.#show(path, object);
    return this;
  }

  /** @override @param {string} key */
  delete(key) {
    rmSync(this.#pathToWrite(key), { force: true });
    return super.delete(key);
  }

  /**
   * @param {string} path
   * @param {Omit<S3Object, 'body'>} object
   */
  #show(path, { key, contentType, contentLength, etag, lastModified, metadata }) {
    super.set(key, {
      ...{ key, contentType, contentLength, etag, lastModified, metadata },
      get body() {
        return readFileSync(path);
      },
    });
  }

  /** @param {string} key */
  #pathToWrite(key) {
    if (this.#folder === undefined) throw refusal('This bucket is only to be read.');
    const path = resolve(join(this.#folder, key));
    if (relative(this.#folder, path).startsWith('..')) throw refusal(`${key} leaves the folder.`);
    return path;
  }
}

/** @param {string} message */
function refusal(message) {
  return new S3Error('AccessDenied', message, 403);
}
