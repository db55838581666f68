import { readFileSync } from "node:fs";
import { openSpec } from "../../src/object/open.ts";
import type { MapSpec, ObjectSpec, ProgSpec } from "../../src/object/spec.ts";

/** Bytes of a file below test/fixtures. */
export function fixtureBytes(path: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../fixtures/${path}`, import.meta.url)));
}

export function fixtureSpec(name: string): ObjectSpec {
  return openSpec(fixtureBytes(`object/${name}.o`), `${name}.o`);
}

export function progOf(spec: ObjectSpec, name: string): ProgSpec {
  return spec.progs.find((p) => p.name === name)!;
}

export function mapOf(spec: ObjectSpec, name: string): MapSpec {
  return spec.maps.find((m) => m.name === name)!;
}
