/** The CPUs of the machine. */
import { readFileSync } from "node:fs";

/** Numbers from a list of ranges: "0-3,5". */
export function cpusThatAre(which: "possible" | "online"): number[] {
  const text = readFileSync(`/sys/devices/system/cpu/${which}`, "utf8").trim();
  return text.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}
