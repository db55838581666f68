/** Maps as a person reads them, and as JSON. */
import { toHex } from "../src/bytes/hex.ts";
import type { BpfMap } from "../src/loader/map.ts";
import { colors, type Io, table } from "./output.ts";

/** For JSON.stringify: 64-bit numbers as numbers where exact, else as text; bytes as hex. */
export function jsonValue(_: string, value: unknown): unknown {
  if (typeof value === "bigint") {
    return value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER)
      ? Number(value)
      : value.toString();
  }
  return value instanceof Uint8Array ? toHex(value) : value;
}

export function dumpMap(map: BpfMap): { key: unknown; value: unknown }[] {
  return [...map].map(([key, value]) => ({ key, value }));
}

/** One line: {saddr: "10.0.0.1", dport: 53}. */
export function textOf(value: unknown): string {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return toHex(value, " ");
  if (Array.isArray(value)) return `[${value.map(textOf).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .map(([k, v]) => `${k}: ${textOf(v)}`)
      .join(", ")}}`;
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A row an element. A per-CPU value that is the same kind of struct on each CPU is shown CPU by CPU. */
export function printMap(map: BpfMap, io: Io): string {
  const entries = dumpMap(map);
  const head = `${colors(io).bold(map.name)}: ${entries.length} ${entries.length === 1 ? "element" : "elements"}\n`;
  if (entries.length === 0) return head;
  const values = entries.map((e) => (Array.isArray(e.value) && e.value.length === 1 ? e.value[0] : e.value));
  const columns = structColumns(values);
  const isNumber = (v: unknown) => typeof v === "number" || typeof v === "bigint";
  if (columns === undefined) {
    return (
      head +
      table(
        io,
        ["  KEY", "VALUE"],
        entries.map((e, i) => [`  ${textOf(e.key)}`, textOf(values[i])]),
      )
    );
  }
  const right = columns.map((c) => (values.every((v) => isNumber((v as Fields)[c])) ? ">" : ""));
  return (
    head +
    table(
      io,
      ["  KEY", ...columns.map((c, i) => right[i] + c.toUpperCase())],
      entries.map((e, i) => [`  ${textOf(e.key)}`, ...columns.map((c) => textOf((values[i] as Fields)[c]))]),
    )
  );
}

type Fields = Record<string, unknown>;

/** Member names, when every value is a struct of plain members. */
function structColumns(values: readonly unknown[]): string[] | undefined {
  const [first] = values;
  if (typeof first !== "object" || first === null || Array.isArray(first) || first instanceof Uint8Array)
    return undefined;
  return Object.keys(first);
}
