import { readFileSync } from "node:fs";
import { type Btf, parseBtf } from "../../src/btf/btf.ts";
import { readElf } from "../../src/elf/elf.ts";

const FOLDER = new URL("./fixtures/", import.meta.url);

export function fixtureBytes(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(name, FOLDER)));
}

export function fixtureText(name: string): string {
  return readFileSync(new URL(name, FOLDER), "utf8");
}

/** A section of a fixture object. */
export function sectionOf(name: string, section: string): Uint8Array {
  const found = readElf(fixtureBytes(name), name).sections.find((s) => s.name === section);
  if (!found) throw new Error(`${name} has no section ${section}`);
  return found.bytes;
}

export function btfOf(name: string): Btf {
  return parseBtf(sectionOf(name, ".BTF"));
}

/** Linux's BTF of this machine, or undefined where there is none. */
export function vmlinuxBytes(): Uint8Array | undefined {
  try {
    return new Uint8Array(readFileSync("/sys/kernel/btf/vmlinux"));
  } catch {
    return undefined;
  }
}
