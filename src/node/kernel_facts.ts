/**
 * What a loader may want to know of the Linux it runs on, besides its BTF: release, configuration, symbol addresses.
 * Read when first asked for; elsewhere than on Linux, everything is absent.
 */
import { existsSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { gunzipSync } from "node:zlib";
import { BPF_PROG_TYPE_LIRC_MODE2, BPF_PROG_TYPE_LSM, BPF_PROG_TYPE_NETFILTER } from "../abi/bpf.ts";
import type { LoadOptions } from "../loader/object.ts";
import { FULL_CONFIG, type KernelConfig } from "../verifier/platform.ts";

/** Options of BpfObject.load() and loadAlone() for the running kernel. */
export function runningKernelFacts(): Pick<LoadOptions, "kconfig" | "kernelRelease" | "kallsyms"> {
  if (process.platform !== "linux") return {};
  const kconfig = readConfig();
  let symbols: Map<string, bigint> | undefined;
  return {
    kernelRelease: release(),
    ...(kconfig !== undefined && { kconfig }),
    kallsyms: (name) => {
      symbols ??= readKallsyms();
      return symbols.get(name);
    },
  };
}

/**
 * What the text of a configuration says about loading programs.
 *
 * @param kconfig undefined = nothing is known, everything is taken to be there
 */
export function kernelConfig(kconfig: string | undefined): KernelConfig {
  if (kconfig === undefined) return FULL_CONFIG;
  const isSet = (option: string) => new RegExp(`^${option}=y$`, "m").test(kconfig);
  return {
    ...FULL_CONFIG,
    kallsymsAll: isSet("CONFIG_KALLSYMS_ALL"),
    missingProgTypes: OPTIONAL_PROG_TYPES.flatMap(([option, type]) => (isSet(option) ? [] : [type])),
  };
}

/** Program types that a kernel with bpf(2) may still lack. */
const OPTIONAL_PROG_TYPES = [
  ["CONFIG_BPF_LIRC_MODE2", BPF_PROG_TYPE_LIRC_MODE2],
  ["CONFIG_BPF_LSM", BPF_PROG_TYPE_LSM],
  ["CONFIG_NETFILTER_BPF_LINK", BPF_PROG_TYPE_NETFILTER],
] as const;

/** As libbpf looks for it: /boot/config-RELEASE (gzipped or not), then /proc/config.gz. */
function readConfig(): string | undefined {
  const path = [`/boot/config-${release()}`, "/proc/config.gz"].find((p) => existsSync(p));
  if (path === undefined) return undefined;
  const bytes = readFileSync(path);
  return (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString("utf8");
}

/** The first address of each name; zeros where the process may not see them. */
function readKallsyms(): Map<string, bigint> {
  const out = new Map<string, bigint>();
  if (!existsSync("/proc/kallsyms")) return out;
  for (const line of readFileSync("/proc/kallsyms", "utf8").split("\n")) {
    const [, address, name] = /^([0-9a-f]+) \S (\S+)/.exec(line) ?? [];
    if (name !== undefined && !out.has(name)) out.set(name, BigInt(`0x${address}`));
  }
  return out;
}
