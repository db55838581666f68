/**
 * Values of .kconfig externs, from the text of a kernel configuration (/boot/config-*, /proc/config.gz unpacked) and
 * from what the kernel itself is: LINUX_KERNEL_VERSION, LINUX_HAS_BPF_COOKIE, LINUX_HAS_SYSCALL_WRAPPER.
 *
 * Errors  EINVAL for a value whose type does not fit the variable's, ERANGE for one that is too large, ESRCH for a
 *         variable without a value that is not weak.
 */
import { BpfError, EINVAL, ERANGE, ESRCH } from "../abi/errno.ts";
import type { KconfigExtern, ObjectSpec } from "../object/spec.ts";

export interface KernelFacts {
  /** Release, "6.18.0-rc1+". */
  readonly release: string;
  /** Text of the configuration: lines CONFIG_X=y. */
  readonly config: string | undefined;
  /** System calls have wrappers named after the architecture (x86-64, arm64, s390x). */
  readonly syscallWrapper: boolean;
}

/** Contents of the .kconfig map. */
export function kconfigValue(spec: ObjectSpec, facts: KernelFacts): Uint8Array {
  const externs = spec.externs.filter((e) => e.kind === "kconfig");
  const bytes = new Uint8Array(Math.max(0, ...externs.map((e) => e.off + e.size)));
  const config = externs.some((e) => e.name.startsWith("CONFIG_")) ? parseConfig(facts.config ?? "") : new Map();
  for (const e of externs) {
    const where = `${spec.file}: extern '${e.name}' (.kconfig)`;
    const virtual = VIRTUAL[e.name];
    const text: string | undefined = config.get(e.name);
    if (virtual) {
      writeNumber(where, e, bytes, virtual(facts));
    } else if (text !== undefined) {
      writeText(where, e, bytes, text);
    } else if (!e.name.startsWith("CONFIG_") && !(e.weak && e.name.startsWith("LINUX_"))) {
      const wanted = `wanted a CONFIG_ name or one of ${Object.keys(VIRTUAL).join(", ")}`;
      throw new BpfError(EINVAL, `${where}: unrecognized virtual extern; ${wanted}`, { name: e.name });
    } else if (!e.weak) {
      const wanted = "wanted a value in the kernel configuration, or a __weak variable";
      throw new BpfError(ESRCH, `${where}: not resolved; ${wanted}`, { name: e.name });
    }
  }
  return bytes;
}

const VIRTUAL: Readonly<Record<string, (facts: KernelFacts) => bigint>> = {
  LINUX_KERNEL_VERSION: (facts) => BigInt(kernelVersion(facts.release)),
  LINUX_HAS_BPF_COOKIE: () => 1n,
  LINUX_HAS_SYSCALL_WRAPPER: (facts) => (facts.syscallWrapper ? 1n : 0n),
};

/** KERNEL_VERSION(a, b, c) of "a.b.c-whatever". */
export function kernelVersion(release: string): number {
  const [, major = "0", minor = "0", patch = "0"] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(release) ?? [];
  return (Number(major) << 16) + (Number(minor) << 8) + Math.min(Number(patch), 255);
}

function parseConfig(text: string): Map<string, string> {
  const out = new Map<string, string>();
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (!line.startsWith("CONFIG_") || at < 0) continue;
    const [name, value] = [line.slice(0, at), line.slice(at + 1).trimEnd()];
    if (value !== "" && !out.has(name)) out.set(name, value);
  }
  return out;
}

function writeText(where: string, e: KconfigExtern, bytes: Uint8Array, text: string): void {
  if (/^[ynm]$/.test(text)) {
    writeTristate(where, e, bytes, text as "y" | "n" | "m");
  } else if (text.startsWith('"')) {
    if (e.type !== "string") throw mismatch(where, e, text, "a char array");
    if (text.length < 2 || !text.endsWith('"')) throw mismatch(where, e, text, "a closed string");
    const chars = new TextEncoder().encode(text.slice(1, -1)).subarray(0, e.size - 1);
    bytes.set(chars, e.off);
  } else {
    if (e.type !== "int" && e.type !== "char") throw mismatch(where, e, text, "an integer variable");
    if (!/^[+-]?(0[xX][0-9a-fA-F]+|\d+)$/.test(text)) throw mismatch(where, e, text, "an integer");
    writeNumber(where, e, bytes, text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text.replace("+", "")));
  }
}

function writeTristate(where: string, e: KconfigExtern, bytes: Uint8Array, text: "y" | "n" | "m"): void {
  switch (e.type) {
    case "bool":
      if (text === "m") throw mismatch(where, e, text, "a tristate or char variable");
      bytes[e.off] = text === "y" ? 1 : 0;
      return;
    case "tristate":
      bytes[e.off] = { n: 0, y: 1, m: 2 }[text];
      return;
    case "char":
      bytes[e.off] = text.charCodeAt(0);
      return;
    default:
      throw mismatch(where, e, text, "a bool, tristate or char variable");
  }
}

function writeNumber(where: string, e: KconfigExtern, bytes: Uint8Array, value: bigint): void {
  if (e.type === "tristate" || e.type === "string") throw mismatch(where, e, String(value), "an integer variable");
  if (e.type === "bool" && (value < 0n || value > 1n)) throw mismatch(where, e, String(value), "0 or 1");
  const bits = 8 * e.size;
  const fits = e.signed ? BigInt.asIntN(bits, value) === value : BigInt.asUintN(bits, value) === value;
  if (!fits) throw new BpfError(ERANGE, `${where}: value ${value} does not fit into ${e.size} bytes`, { value });
  for (let i = 0; i < e.size; i++) bytes[e.off + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}

function mismatch(where: string, e: KconfigExtern, value: string, wanted: string): BpfError {
  return new BpfError(EINVAL, `${where}: value ${value} for a variable of type ${e.type}; wanted ${wanted}`, { value });
}
