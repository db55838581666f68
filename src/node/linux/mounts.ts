/** Where file systems of a kind are mounted. */
import { existsSync, readFileSync } from "node:fs";

/** Of the mount namespace of the calling thread, oldest first. Spaces and the like are \\040 there. */
export function mountPoints(type: string): string[] {
  const file = "/proc/thread-self/mounts";
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  return lines
    .map((line) => line.split(" "))
    .filter((words) => words[2] === type)
    .map((words) => words[1]!.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))));
}
