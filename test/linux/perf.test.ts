/** Uprobes and tracepoints through perf events, as the loader attaches them by section. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import type { Fd } from "../../src/kernel/bpf.ts";
import type { LinuxBpf } from "../../src/node/linux/index.ts";
import { u32 } from "../support/kernel.ts";
import { whyNotLinux, withLinux, withMount } from "../support/kernels.ts";

const COUNT = `
  r6 = map[hits] ll
  r1 = r6
  r2 = r10
  r2 += -4
  *(u32 *)(r10 - 4) = 0
  call map_lookup_elem
  if r0 == 0 goto out
  r1 = 1
  lock *(u64 *)(r0 + 0) += r1
out:
  r0 = 0
  exit`;

/** A program that counts its runs in an array. */
function counter(bpf: LinuxBpf, progType: number): { prog: Fd; hits: () => bigint } {
  const map = bpf.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 });
  const { insns } = assemble(COUNT, { symbol: () => ({ src: abi.BPF_PSEUDO_MAP_FD, imm: map }) });
  const prog = bpf.progLoad({ progType, insns: encode(insns), license: "GPL", name: "skep_count" }).fd;
  return { prog, hits: () => new DataView(bpf.mapLookupElem(map, u32(0)).buffer).getBigUint64(0, true) };
}

const noUprobe = whyNotLinux ?? (existsSync("/sys/bus/event_source/devices/uprobe") ? undefined : "no uprobes");
const filesystems = whyNotLinux ? "" : readFileSync("/proc/filesystems", "utf8");
const noTracefs = whyNotLinux ?? (filesystems.includes("\ttracefs") ? undefined : "this kernel has no tracefs");
if (noUprobe) console.log(`uprobes are not tested: ${noUprobe}`);
if (noTracefs) console.log(`tracepoints are not tested: ${noTracefs}`);

describe("perf events", () => {
  it.skipIf(noUprobe)("a uprobe on a function of Node, by symbol, of this process", () => {
    withLinux((bpf) => {
      const { prog, hits } = counter(bpf, abi.BPF_PROG_TYPE_KPROBE);
      const target = {
        kind: "uprobe",
        path: process.execPath,
        symbol: "uv_hrtime",
        offset: 0,
        pid: process.pid,
      } as const;
      const link = bpf.perfAttach(prog, target);
      expect(bpf.linkInfo(link)).toMatchObject({ type: abi.BPF_LINK_TYPE_PERF_EVENT });
      for (let i = 0; i < 3; i++) process.hrtime();
      expect(hits()).toBeGreaterThan(0n);
      bpf.close(link);
      // Other threads call the function, too, as long as the probe is there.
      const seen = hits();
      process.hrtime();
      expect(hits()).toBe(seen);
      expect(() => bpf.perfAttach(prog, { ...target, symbol: "no_such_function" })).toThrow(
        "no symbol 'no_such_function': ENOENT",
      );
    });
  });

  it.skipIf(whyNotLinux)("what is not there says so", () => {
    withLinux((bpf) => {
      const { prog } = counter(bpf, abi.BPF_PROG_TYPE_TRACEPOINT);
      const target = { kind: "tracepoint", category: "skep", name: "none" } as const;
      expect(() => bpf.perfAttach(prog, target)).toThrow(/^tracepoint skep\/none: .*: ENOENT$/);
    });
  });

  it.skipIf(noTracefs)("a tracepoint", () => {
    withLinux((bpf) => {
      const { prog, hits } = counter(bpf, abi.BPF_PROG_TYPE_TRACEPOINT);
      const target = { kind: "tracepoint", category: "syscalls", name: "sys_enter_bpf" } as const;
      const link = withMount(bpf, "tracefs", () => bpf.perfAttach(prog, target));
      bpf.mapInfo(bpf.mapCreate({ mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 }));
      bpf.close(link);
      expect(hits()).toBeGreaterThan(0n);
    });
  });
});
