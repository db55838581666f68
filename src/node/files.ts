/**
 * Files as the command line uses them: whole reads with one-line errors, reads in chunks, and writes that appear under
 * their name only when they are complete.
 */
import { closeSync, openSync, readFileSync, readSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { BpfError, EACCES, EIO, EISDIR, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS, type Errno } from "../abi/errno.ts";

const ERRNOS: Record<string, Errno> = { ENOENT, EACCES, EISDIR, ENOTDIR, EPERM, ENOSPC, EROFS };

const REASONS: Record<string, string> = {
  ENOENT: "no such file",
  EACCES: "permission denied",
  EISDIR: "is a directory, a file wanted",
  ENOTDIR: "a part of the path is not a directory",
  EPERM: "not permitted",
  ENOSPC: "no space left",
  EROFS: "read-only file system",
};

/** Node's error as a BpfError that names the file and what was tried. */
function fileError(path: string, doing: string, e: unknown): BpfError {
  const code = (e as NodeJS.ErrnoException).code ?? "EIO";
  const reason = REASONS[code] ?? (e as Error).message;
  return new BpfError(ERRNOS[code] ?? EIO, `${path}: cannot ${doing}: ${reason}`, { path }, e);
}

/** @throws BpfError with the path and the reason */
export function readFile(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (e) {
    throw fileError(path, "read", e);
  }
}

/** Size in bytes; undefined for what has none (pipes). */
export function fileSize(path: string): number | undefined {
  try {
    const st = statSync(path);
    return st.isFile() ? st.size : undefined;
  } catch (e) {
    throw fileError(path, "read", e);
  }
}

/** Calls back with successive chunks (views of one buffer, valid during the call). */
export function readChunks(path: string, onChunk: (chunk: Uint8Array) => void, chunkBytes = 1 << 20): void {
  let fd: number | undefined;
  try {
    fd = openSync(path, "r");
  } catch (e) {
    throw fileError(path, "read", e);
  }
  try {
    const buffer = new Uint8Array(chunkBytes);
    for (;;) {
      let n: number;
      try {
        n = readSync(fd, buffer, 0, chunkBytes, null);
      } catch (e) {
        throw fileError(path, "read", e);
      }
      if (n === 0) return;
      onChunk(buffer.subarray(0, n));
    }
  } finally {
    closeSync(fd);
  }
}

/**
 * A file that is there whole or not at all: bytes go to a temporary neighbour, commit() gives it its name.
 *
 * Disposing without commit() removes what was written.
 */
export class AtomicFile implements Disposable {
  readonly path: string;
  readonly #temporary: string;
  #fd: number | undefined;

  constructor(path: string) {
    this.path = path;
    this.#temporary = join(dirname(path), `.${basename(path)}.${process.pid}.part`);
    try {
      this.#fd = openSync(this.#temporary, "w");
    } catch (e) {
      throw fileError(path, "write", e);
    }
  }

  write(bytes: Uint8Array): void {
    if (this.#fd === undefined) throw new Error(`${this.path}: written after it was closed`);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    } catch (e) {
      throw fileError(this.path, "write", e);
    }
  }

  commit(): void {
    if (this.#fd === undefined) throw new Error(`${this.path}: committed after it was closed`);
    closeSync(this.#fd);
    this.#fd = undefined;
    try {
      renameSync(this.#temporary, this.path);
    } catch (e) {
      rmSync(this.#temporary, { force: true });
      throw fileError(this.path, "write", e);
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
    rmSync(this.#temporary, { force: true });
  }
}
