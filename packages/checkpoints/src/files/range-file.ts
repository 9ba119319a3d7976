/**
 * A file of which ranges are read: weights of gigabytes are never held as a whole. What it says of
 * itself is held against its size before anything is allocated for it.
 */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { UserError } from '@cutline/shared/errors';

export class RangeFile {
  readonly path: string;
  /** Size when it was opened. */
  readonly bytes: number;
  readonly #handle: FileHandle;

  private constructor(path: string, bytes: number, handle: FileHandle) {
    this.path = path;
    this.bytes = bytes;
    this.#handle = handle;
  }

  /**
   * Links are followed.
   *
   * @throws UserError when there is none, or it cannot be read, or is not a regular file.
   */
  static async open(path: string): Promise<RangeFile> {
    try {
      // Asked before it is opened: opening a named pipe waits for somebody who writes to it.
      if (!(await stat(path)).isFile()) throw new UserError(`${path} is not a regular file.`);
      const handle = await open(path, 'r');
      return new RangeFile(path, (await handle.stat()).size, handle);
    } catch (cause) {
      if (cause instanceof UserError) throw cause;
      throw new UserError(`${path} cannot be read: ${(cause as Error).message}.`, { cause });
    }
  }

  /** Without its folder. */
  get name(): string {
    return basename(this.path);
  }

  /** `bytes` bytes from `offset` on. @throws UserError when the file does not hold them. */
  async read(offset: number, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    this.#checkRange(offset, bytes);
    const into = new Uint8Array(bytes);
    await this.readInto(into, offset);
    return into;
  }

  /** Fills `into` from `offset` on. @throws UserError when the file does not hold as much. */
  async readInto(into: Uint8Array, offset: number): Promise<void> {
    this.#checkRange(offset, into.length);
    for (let filled = 0; filled < into.length; ) {
      const wanted = Math.min(into.length - filled, readBytesMax);
      const { bytesRead } = await this.#handle.read(into, filled, wanted, offset + filled);
      if (bytesRead === 0) throw new UserError(`${this.path} became shorter while it was read.`);
      filled += bytesRead;
    }
  }

  /** May be called again. */
  async close(): Promise<void> {
    await this.#handle.close();
  }

  #checkRange(offset: number, bytes: number): void {
    const isWhole = Number.isSafeInteger(offset) && Number.isSafeInteger(bytes);
    if (isWhole && offset >= 0 && bytes >= 0 && offset + bytes <= this.bytes) return;
    throw new UserError(
      `${this.path} holds ${this.bytes} bytes, and not those from ${offset} to ` +
        `${offset + bytes}: it is truncated or damaged. Fetch it again.`,
    );
  }
}

/** Of one system call: Linux reads no more than 2 GiB at a time. */
const readBytesMax = 64 * 1024 * 1024;
