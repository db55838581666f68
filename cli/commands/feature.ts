/** skep feature probe: what a kernel can do, found out by trying; bpftool's words and JSON. */
import { existsSync, readFileSync } from "node:fs";
import * as abi from "../../src/abi/bpf.ts";
import { BpfError } from "../../src/abi/errno.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import { helperName } from "../../src/isa/helper_names.ts";
import { type Bpf, type ProgLoadAttr, VerifierError } from "../../src/kernel/bpf.ts";
import { MAP_TYPES } from "../../src/maps/table.ts";
import { runningKernelFacts } from "../../src/node/kernel_facts.ts";
import { LinuxBpf } from "../../src/node/linux/index.ts";
import { PROG_TYPES } from "../../src/progs/prog_types.ts";
import { type Answer, type Call, objectCommand, type Verb } from "../bpftool/verbs.ts";

const VERBS: Readonly<Record<string, Verb>> = { probe: { usage: "[kernel] [full]", run: probe } };

export const feature = objectCommand("feature", "find out what a kernel can do", VERBS);

type Section = Record<string, unknown>;

function probe({ bpf, words }: Call): Answer {
  words.take("kernel");
  const full = words.take("full");
  words.end();
  const types = PROG_TYPES.filter((t) => t !== undefined);
  const have = new Map(types.map((t) => [t.type, hasProgType(bpf, t.type)]));
  const json: Record<string, Section> = {
    ...(bpf instanceof LinuxBpf && { system_config: systemConfig() }),
    syscall_config: { have_bpf_syscall: true },
    program_types: Object.fromEntries(types.map((t) => [`have_${t.name}_prog_type`, have.get(t.type)])),
    map_types: Object.fromEntries(
      Object.entries(MAP_TYPES).map(([type, { name }]) => [`have_${name}_map_type`, hasMapType(bpf, Number(type))]),
    ),
    helpers: Object.fromEntries(
      types.map((t) => [`${t.name}_available_helpers`, have.get(t.type) ? helpersOf(bpf, t.type, full) : []]),
    ),
    misc: Object.fromEntries(Object.entries(MISC).map(([name, asm]) => [`have_${name}`, loads(bpf, { asm: asm() })])),
  };
  return { json, text: textOf(json) };
}

function textOf(json: Record<string, Section>): string {
  const value = (v: unknown): string => {
    if (!Array.isArray(v)) return v === true ? "yes" : v === false ? "no" : String(v ?? "is not set");
    return v.length === 0 ? "none" : v.map((h) => `\n\t- ${h}`).join("");
  };
  return Object.entries(json)
    .map(([title, section]) => {
      const lines = Object.entries(section).map(([name, v]) => `${name}: ${value(v)}`);
      return `${title}:\n${lines.join("\n")}\n`;
    })
    .join("\n");
}

const TWO = "r0 = 0\nexit";

/** What a program type wants beyond two instructions. */
const NEEDS: Readonly<Record<number, Partial<ProgLoadAttr>>> = {
  [abi.BPF_PROG_TYPE_CGROUP_SOCK_ADDR]: { expectedAttachType: abi.BPF_CGROUP_INET4_CONNECT },
  [abi.BPF_PROG_TYPE_CGROUP_SOCKOPT]: { expectedAttachType: abi.BPF_CGROUP_GETSOCKOPT },
  [abi.BPF_PROG_TYPE_SK_LOOKUP]: { expectedAttachType: abi.BPF_SK_LOOKUP },
  [abi.BPF_PROG_TYPE_SYSCALL]: { progFlags: abi.BPF_F_SLEEPABLE },
  [abi.BPF_PROG_TYPE_NETFILTER]: { expectedAttachType: abi.BPF_NETFILTER },
  [abi.BPF_PROG_TYPE_TRACING]: { expectedAttachType: abi.BPF_TRACE_FENTRY, attachBtfId: 1 },
  [abi.BPF_PROG_TYPE_LSM]: { expectedAttachType: abi.BPF_LSM_MAC, attachBtfId: 1 },
  [abi.BPF_PROG_TYPE_EXT]: { attachBtfId: 1 },
  [abi.BPF_PROG_TYPE_STRUCT_OPS]: { attachBtfId: 1 },
};

/** Type 1 of the kernel is no function: a kernel that knows the program type says so. */
const KNOWN_BY_WORDS = /attach_btf_id 1 is not a (function|supported)|Cannot replace kernel functions/;

function hasProgType(bpf: Bpf, progType: number): boolean {
  const needs = NEEDS[progType] ?? {};
  return loads(bpf, { progType, ...needs, asm: TWO }, needs.attachBtfId === undefined ? undefined : KNOWN_BY_WORDS);
}

interface Try extends Partial<ProgLoadAttr> {
  readonly asm: string;
}

/** @param orWords a refusal with these words counts as well */
function loads(bpf: Bpf, { asm, ...attr }: Try, orWords?: RegExp): boolean {
  const insns = encode(assemble(asm).insns);
  try {
    bpf.close(
      bpf.progLoad({ progType: abi.BPF_PROG_TYPE_SOCKET_FILTER, license: "GPL", logLevel: 1, ...attr, insns }).fd,
    );
    return true;
  } catch (e) {
    if (!(e instanceof BpfError)) throw e;
    return orWords !== undefined && e instanceof VerifierError && orWords.test(e.log);
  }
}

/** A helper that may not be called is refused before its arguments are looked at. */
const NO_HELPER = /unknown func |invalid func |program of this type cannot use helper /;

/** They write to the kernel's log when they are tried. */
const NOISY: ReadonlySet<number> = new Set([
  abi.BPF_FUNC_probe_write_user,
  abi.BPF_FUNC_trace_printk,
  abi.BPF_FUNC_trace_vprintk,
]);

function helpersOf(bpf: Bpf, progType: number, full: boolean): string[] {
  const { attachBtfId, ...attr } = NEEDS[progType] ?? {};
  // those attach to a function, which decides what they may call
  if (attachBtfId !== undefined) return [];
  const out: string[] = [];
  for (let id = 1, name = helperName(id); name !== undefined; name = helperName(++id)) {
    if (NOISY.has(id) && !full) continue;
    const insns = encode(assemble(`call ${id}\nexit`).insns);
    try {
      bpf.close(bpf.progLoad({ progType, license: "GPL", logLevel: 1, ...attr, insns }).fd);
      out.push(name);
    } catch (e) {
      if (!(e instanceof BpfError)) throw e;
      if (e instanceof VerifierError && !NO_HELPER.test(e.log)) out.push(name);
    }
  }
  return out;
}

/** Key, value, entries and flags that a type insists on. */
const SIZES: Readonly<Record<number, { key?: number; value?: number; max?: number; flags?: number; btf?: boolean }>> = {
  [abi.BPF_MAP_TYPE_STACK_TRACE]: { value: 8 },
  [abi.BPF_MAP_TYPE_LPM_TRIE]: { key: 8, value: 8, flags: abi.BPF_F_NO_PREALLOC },
  [abi.BPF_MAP_TYPE_CGROUP_STORAGE]: { key: 16, value: 8, max: 0 },
  [abi.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE]: { key: 16, value: 8, max: 0 },
  [abi.BPF_MAP_TYPE_QUEUE]: { key: 0 },
  [abi.BPF_MAP_TYPE_STACK]: { key: 0 },
  [abi.BPF_MAP_TYPE_BLOOM_FILTER]: { key: 0 },
  [abi.BPF_MAP_TYPE_RINGBUF]: { key: 0, value: 0, max: 4096 },
  [abi.BPF_MAP_TYPE_USER_RINGBUF]: { key: 0, value: 0, max: 4096 },
  [abi.BPF_MAP_TYPE_ARENA]: { key: 0, value: 0, max: 1, flags: abi.BPF_F_MMAPABLE },
  [abi.BPF_MAP_TYPE_SK_STORAGE]: { max: 0, flags: abi.BPF_F_NO_PREALLOC, btf: true },
  [abi.BPF_MAP_TYPE_TASK_STORAGE]: { max: 0, flags: abi.BPF_F_NO_PREALLOC, btf: true },
  [abi.BPF_MAP_TYPE_INODE_STORAGE]: { max: 0, flags: abi.BPF_F_NO_PREALLOC, btf: true },
  [abi.BPF_MAP_TYPE_CGRP_STORAGE]: { max: 0, flags: abi.BPF_F_NO_PREALLOC, btf: true },
};

/** BTF of one type: int, 4 bytes. */
const INT_BTF = Uint8Array.from(
  [0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 16, 0, 0, 0, 5, 0, 0, 0]
    .concat([1, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, 32, 0, 0, 1])
    .concat([0, 0x69, 0x6e, 0x74, 0]),
);

function hasMapType(bpf: Bpf, mapType: number): boolean {
  // its value is a type of the kernel: asked for by one that there is not
  if (mapType === abi.BPF_MAP_TYPE_STRUCT_OPS) return hasStructOps(bpf);
  const { key = 4, value = 4, max = 1, flags = 0, btf = false } = SIZES[mapType] ?? {};
  const nested = MAP_TYPES[mapType]?.lookup === "map";
  const inner = nested
    ? bpf.mapCreate({ mapType: abi.BPF_MAP_TYPE_HASH, keySize: 4, valueSize: 4, maxEntries: 1 })
    : undefined;
  const btfFd = btf ? bpf.btfLoad(INT_BTF) : undefined;
  try {
    const fd = bpf.mapCreate({
      mapType,
      keySize: key,
      valueSize: value,
      maxEntries: max,
      mapFlags: flags,
      ...(inner !== undefined && { innerMapFd: inner }),
      ...(btfFd !== undefined && { btfFd, btfKeyTypeId: 1, btfValueTypeId: 1 }),
    });
    bpf.close(fd);
    return true;
  } catch (e) {
    if (e instanceof BpfError) return false;
    throw e;
  } finally {
    for (const fd of [inner, btfFd]) if (fd !== undefined) bpf.close(fd);
  }
}

const ENOTSUPP = 524;

function hasStructOps(bpf: Bpf): boolean {
  try {
    const mapType = abi.BPF_MAP_TYPE_STRUCT_OPS;
    bpf.close(bpf.mapCreate({ mapType, keySize: 4, valueSize: 4, maxEntries: 1, btfVmlinuxValueTypeId: 1 }));
    return true;
  } catch (e) {
    if (e instanceof BpfError) return e.errno === ENOTSUPP;
    throw e;
  }
}

const MISC: Readonly<Record<string, () => string>> = {
  large_insn_limit: () => `${"r0 = 1\n".repeat(4097)}exit`,
  bounded_loops: () => "r0 = 10\nagain:\nr0 -= 1\nif r0 != 0 goto again\nexit",
  v2_isa_extension: () => "r0 = 0\nif r0 < 1 goto out\nr0 = 1\nout:\nexit",
  v3_isa_extension: () => "r0 = 0\nif w0 < 1 goto out\nr0 = 1\nout:\nexit",
};

const SYSCTLS = {
  unprivileged_bpf_disabled: "kernel/unprivileged_bpf_disabled",
  bpf_jit_enable: "net/core/bpf_jit_enable",
  bpf_jit_harden: "net/core/bpf_jit_harden",
  bpf_jit_kallsyms: "net/core/bpf_jit_kallsyms",
  bpf_jit_limit: "net/core/bpf_jit_limit",
};

const CONFIGS = `
BPF BPF_SYSCALL HAVE_EBPF_JIT BPF_JIT BPF_JIT_ALWAYS_ON DEBUG_INFO_BTF DEBUG_INFO_BTF_MODULES CGROUPS CGROUP_BPF
CGROUP_NET_CLASSID SOCK_CGROUP_DATA BPF_EVENTS KPROBE_EVENTS UPROBE_EVENTS TRACING FTRACE_SYSCALLS
FUNCTION_ERROR_INJECTION BPF_KPROBE_OVERRIDE NET XDP_SOCKETS LWTUNNEL_BPF NET_ACT_BPF NET_CLS_BPF NET_CLS_ACT
NET_SCH_INGRESS XFRM IP_ROUTE_CLASSID IPV6_SEG6_BPF BPF_LIRC_MODE2 BPF_STREAM_PARSER NETFILTER_XT_MATCH_BPF BPFILTER
BPFILTER_UMH TEST_BPF HZ
`
  .trim()
  .split(/\s+/);

function systemConfig(): Section {
  const sysctls = Object.entries(SYSCTLS).map(([name, path]) => {
    const file = `/proc/sys/${path}`;
    return [name, existsSync(file) ? Number(readFileSync(file, "utf8")) : -1] as const;
  });
  const { kconfig = "" } = runningKernelFacts();
  const set = new Map([...kconfig.matchAll(/^(CONFIG_\w+)=(.*)$/gm)].map((m) => [m[1], m[2]]));
  const configs = CONFIGS.map((name) => [`CONFIG_${name}`, set.get(`CONFIG_${name}`) ?? null] as const);
  return Object.fromEntries([...sysctls, ...configs]);
}
