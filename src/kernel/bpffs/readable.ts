/**
 * Open files that read(2) works on: iterators and the text files of a file system.
 *
 * A KObject that is Readable is what read(2) asks. An object whose pin can be opened (a link of an iterator) offers
 * openFile(); open(2) of any other pin is EIO.
 */
import { KObject } from "../objects.ts";
import type { Task } from "../task.ts";

export interface Readable {
  /** At most `max` bytes from where the last read stopped; empty at the end. */
  read(max: number): Uint8Array;
}

export interface Openable {
  /** A fresh open file whose one reference the caller owns; undefined where this object's file cannot be opened. */
  openFile(who: Task): (KObject & Readable) | undefined;
}

export function isReadable(obj: KObject): obj is KObject & Readable {
  return "read" in obj && typeof obj.read === "function";
}

export function isOpenable(obj: KObject): obj is KObject & Openable {
  return "openFile" in obj && typeof obj.openFile === "function";
}

/** Text that is made when the file is opened. */
export class TextFile extends KObject implements Readable {
  readonly kind = "iter";
  #rest: Uint8Array;

  constructor(text: string) {
    super();
    this.#rest = new TextEncoder().encode(text);
  }

  read(max: number): Uint8Array {
    const part = this.#rest.slice(0, max);
    this.#rest = this.#rest.subarray(part.length);
    return part;
  }

  protected override release(): void {}
}
