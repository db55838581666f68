/** Where the command line prints, and how: colours, tables, errors. */
import Table from "cli-table3";
import pc from "picocolors";
import { BpfError } from "../src/abi/errno.ts";

/** The ends a command talks to: a test passes its own. */
export interface Io {
  out(text: string): void;
  err(text: string): void;
  stdin(): Promise<string>;
  /** Standard error is a terminal: progress bars may be drawn. */
  readonly interactive: boolean;
  readonly color: boolean;
  /** Columns of the terminal. */
  readonly width: number;
}

export function processIo(): Io {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    async stdin() {
      const chunks: Buffer[] = [];
      for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks).toString("utf8");
    },
    interactive: process.stderr.isTTY === true,
    color: pc.isColorSupported,
    width: process.stdout.columns ?? 100,
  };
}

/** Wrong use of a command that only the command itself can see: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** One line on standard error; in JSON mode an object with the key `error`, as bpftool prints. */
export function reportError(io: Io, e: unknown, json: boolean): void {
  const message = e instanceof Error ? e.message : String(e);
  if (json) {
    const errno = e instanceof BpfError ? { errno: e.errno } : {};
    io.out(`${JSON.stringify({ error: message, ...errno })}\n`);
    return;
  }
  io.err(`skep: ${message}\n`);
  // What is not a wrong input is a mistake of ours: the stack is what a report needs.
  const known = e instanceof BpfError || e instanceof UsageError || typeof e === "string" || e instanceof RangeError;
  if (!known && e instanceof Error && e.stack !== undefined) io.err(`${e.stack}\n`);
}

export function colors(io: Io): ReturnType<typeof pc.createColors> {
  return pc.createColors(io.color);
}

const NO_LINES = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
} as const;

/** A table without lines; columns whose name begins with ">" are aligned to the right. */
export function table(io: Io, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const bold = colors(io).bold;
  const t = new Table({
    head: head.map((h) => bold(h.replace(/^>/, ""))),
    colAligns: head.map((h) => (h.startsWith(">") ? "right" : "left")),
    chars: NO_LINES,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0, compact: true },
  });
  t.push(...rows.map((r) => [...r]));
  return `${t.toString().replace(/ +$/gm, "")}\n`;
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A horizontal bar of `share` (0..1) of `width` columns. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(Math.max(share, 0), 1) * width * 8);
  return ("█".repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8]).padEnd(width);
}

export function formatCount(n: number): string {
  return n.toLocaleString("en-US");
}

/** Bytes with a binary unit: "1.5 MiB". */
export function formatBytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  let value = n;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
