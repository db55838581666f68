/**
 * A kernel that is called by bytes, and objects with the same names on each: what an attr of the tests refers to.
 *
 * The objects are the test's own. On Linux it runs in an empty network namespace, so that no device but its lo is there.
 */
import * as abi from "../../src/abi/bpf.ts";
import type { Addresses } from "../../src/abi/struct.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import type { Bpf, Fd, MapCreateAttr } from "../../src/kernel/bpf.ts";
import type { Process } from "../../src/kernel/process.ts";
import { UserBuffers } from "../../src/kernel/syscall/user_memory.ts";
import type { LinuxBpf } from "../../src/node/linux/index.ts";

export interface RawKernel {
  readonly name: "skep" | "linux";
  readonly bpf: Bpf;
  /** Process id of the caller, as the kernel knows it. */
  readonly pid: number;
  /** What pointers lead to: fresh for each call. */
  memory(): Addresses;
  /** @returns bpf(2)'s result, or -errno */
  call(cmd: number, attr: Uint8Array, size: number, at: Addresses, keep: unknown): number;
}

export function skepKernel(proc: Process): RawKernel {
  return {
    name: "skep",
    bpf: proc,
    pid: proc.pid,
    memory: () => new UserBuffers(),
    call: (cmd, attr, size, at) => proc.sysBpf(cmd, attr, size, at as UserBuffers),
  };
}

export function linuxKernel(bpf: LinuxBpf): RawKernel {
  return {
    name: "linux",
    bpf,
    pid: process.pid,
    memory: () => bpf.sys,
    call: (cmd, attr, size, _at, keep) => bpf.sysBpf(cmd, attr, size, keep),
  };
}

const map = (mapType: number, keySize: number, valueSize: number, maxEntries: number, mapFlags = 0): MapCreateAttr => ({
  mapType,
  keySize,
  valueSize,
  maxEntries,
  mapFlags,
});

export const MAPS: Readonly<Record<string, MapCreateAttr>> = {
  hash: map(abi.BPF_MAP_TYPE_HASH, 4, 8, 16),
  array: map(abi.BPF_MAP_TYPE_ARRAY, 4, 8, 4),
  lru: map(abi.BPF_MAP_TYPE_LRU_HASH, 4, 8, 1024),
  lpm: map(abi.BPF_MAP_TYPE_LPM_TRIE, 8, 8, 16, abi.BPF_F_NO_PREALLOC),
  queue: map(abi.BPF_MAP_TYPE_QUEUE, 0, 8, 4),
  stack: map(abi.BPF_MAP_TYPE_STACK, 0, 8, 4),
  bloom: map(abi.BPF_MAP_TYPE_BLOOM_FILTER, 0, 8, 16),
  ringbuf: map(abi.BPF_MAP_TYPE_RINGBUF, 0, 0, 4096),
  prog_array: map(abi.BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4),
  rdonly: map(abi.BPF_MAP_TYPE_ARRAY, 4, 8, 4, abi.BPF_F_RDONLY),
  wronly: map(abi.BPF_MAP_TYPE_ARRAY, 4, 8, 4, abi.BPF_F_WRONLY),
  percpu_array: map(abi.BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 4),
  percpu_hash: map(abi.BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 8),
  devmap: map(abi.BPF_MAP_TYPE_DEVMAP, 4, 8, 4),
  perf_events: map(abi.BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 2),
  cgroup_array: map(abi.BPF_MAP_TYPE_CGROUP_ARRAY, 4, 4, 2),
  sockmap: map(abi.BPF_MAP_TYPE_SOCKMAP, 4, 8, 4),
  xskmap: map(abi.BPF_MAP_TYPE_XSKMAP, 4, 4, 4),
  stack_trace: map(abi.BPF_MAP_TYPE_STACK_TRACE, 4, 8, 4),
  frozen: map(abi.BPF_MAP_TYPE_ARRAY, 4, 8, 4),
};

/** Maps of arrays like `array`. */
export const OUTER: Readonly<Record<string, number>> = {
  outer_array: abi.BPF_MAP_TYPE_ARRAY_OF_MAPS,
  outer_hash: abi.BPF_MAP_TYPE_HASH_OF_MAPS,
};

/** Every network namespace has it; tests on Linux have one of their own. */
const LO = 1;

export const insnsOf = (asm: string): Uint8Array => encode(assemble(asm).insns);

/** r0 = 2 */
export const PASS = insnsOf("r0 = 2\nexit");

export const PROGS: Readonly<Record<string, number>> = {
  xdp: abi.BPF_PROG_TYPE_XDP,
  filter: abi.BPF_PROG_TYPE_SOCKET_FILTER,
  cls: abi.BPF_PROG_TYPE_SCHED_CLS,
  raw_tp: abi.BPF_PROG_TYPE_RAW_TRACEPOINT,
  syscall: abi.BPF_PROG_TYPE_SYSCALL,
};

/** The smallest BTF with a type: one int of 32 bits. */
export const BTF = Uint8Array.from([
  // magic, version, flags, hdr_len, type_off, type_len, str_off, str_len
  ...[0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 16, 0, 0, 0, 5, 0, 0, 0],
  // name_off, info (INT), size, encoding (signed, 32 bits)
  ...[1, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, 32, 0, 0, 1],
  ...[0, 0x69, 0x6e, 0x74, 0],
]);

/** Objects of a kernel by name. */
export class World {
  readonly kernel: RawKernel;
  readonly fds: Readonly<Record<string, Fd>>;
  readonly ids: Readonly<Record<string, number>>;
  /** A directory in bpffs. */
  readonly dir: string;

  /** @param ownLo  the network namespace is the test's: its lo gets a program, beside which others are put */
  constructor(kernel: RawKernel, dir: string, ownLo = false) {
    const { bpf } = kernel;
    this.kernel = kernel;
    this.dir = dir;
    const fds: Record<string, Fd> = {};
    const ids: Record<string, number> = {};
    for (const [name, attr] of Object.entries(MAPS)) {
      fds[name] = bpf.mapCreate({ ...attr, name });
      ids[name] = bpf.mapInfo(fds[name]).id;
    }
    bpf.mapFreeze(fds["frozen"]!);
    for (const [name, mapType] of Object.entries(OUTER)) {
      fds[name] = bpf.mapCreate({ ...map(mapType, 4, 4, 4), name, innerMapFd: fds["array"]! });
      ids[name] = bpf.mapInfo(fds[name]).id;
    }
    for (const [name, progType] of Object.entries(PROGS)) {
      fds[name] = bpf.progLoad({
        progType,
        insns: PASS,
        license: "GPL",
        name,
        progFlags: progType === abi.BPF_PROG_TYPE_SYSCALL ? abi.BPF_F_SLEEPABLE : 0,
      }).fd;
      ids[name] = bpf.progInfo(fds[name]).id;
    }
    fds["btf"] = bpf.btfLoad(BTF);
    ids["btf"] = bpf.btfInfo(fds["btf"]).id;
    fds["link"] = bpf.rawTracepointOpen(fds["raw_tp"]!, "xdp_exception");
    ids["link"] = bpf.linkInfo(fds["link"]).id;
    if (ownLo) fds["tcx"] = attachToLo(bpf);
    this.fds = fds;
    this.ids = ids;
  }

  close(): void {
    for (const fd of Object.values(this.fds)) this.kernel.bpf.close(fd);
  }
}

function attachToLo(bpf: Bpf): Fd {
  const { fd } = bpf.progLoad({ progType: abi.BPF_PROG_TYPE_SCHED_CLS, insns: PASS, license: "GPL" });
  const link = bpf.linkCreate({ progFd: fd, attachType: abi.BPF_TCX_INGRESS, targetIfindex: LO });
  bpf.close(fd);
  return link;
}
