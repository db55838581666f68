import { fileURLToPath } from "node:url";

/** A file named relative to bench/ of the sources: this runs from dist/bench/ or from the sources themselves. */
export function sourceFile(path: string): string {
  const dir = import.meta.url.includes("/dist/") ? "../../bench/" : "./";
  return fileURLToPath(new URL(dir + path, import.meta.url));
}
