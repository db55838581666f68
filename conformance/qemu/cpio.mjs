/**
 * A cpio archive ("newc", as Documentation/driver-api/early-userspace/buffer-format.rst has it), which Linux unpacks as its first root.
 *
 * It is not compressed: an emulated processor unpacks slower than the host copies.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join, posix } from "node:path";

const [DIRECTORY, FILE, SYMLINK] = [0o040755, 0o100755, 0o120777];

export class Cpio {
  #chunks = [];
  #seen = new Set();

  #entry(path, mode, body) {
    if (this.#seen.has(path)) return;
    const parent = posix.dirname(path);
    if (parent !== "." && mode !== 0) this.directory(parent);
    this.#seen.add(path);
    const name = Buffer.from(`${path}\0`);
    // ino, mode, uid, gid, nlink, mtime, size, device and rdevice as major and minor, length of the name, checksum
    const fields = [this.#seen.size, mode, 0, 0, 1, 0, body.length, 0, 0, 0, 0, name.length, 0];
    const head = Buffer.from(`070701${fields.map((f) => f.toString(16).padStart(8, "0")).join("")}`);
    this.#padded(Buffer.concat([head, name]));
    this.#padded(body);
  }

  #padded(bytes) {
    this.#chunks.push(bytes, Buffer.alloc(-bytes.length & 3));
  }

  directory(path) {
    this.#entry(path, DIRECTORY, Buffer.alloc(0));
  }

  /** A path in the archive has no leading slash. */
  file(path, bytes) {
    this.#entry(path, FILE, bytes);
  }

  symlink(path, target) {
    this.#entry(path, SYMLINK, Buffer.from(target));
  }

  /** A file or folder of the host; `want` says which paths below it are taken. */
  copy(from, path, want = () => true) {
    const st = lstatSync(from);
    if (st.isSymbolicLink()) return this.symlink(path, readlinkSync(from));
    if (!st.isDirectory()) return this.file(path, readFileSync(from));
    this.directory(path);
    for (const name of readdirSync(from)) {
      const below = join(from, name);
      if (want(below)) this.copy(below, `${path}/${name}`, want);
    }
  }

  /** The chunks to write, one after the other. */
  finish() {
    this.#entry("TRAILER!!!", 0, Buffer.alloc(0));
    return this.#chunks;
  }
}
