/** Arrays mapped into user space: the same on skep and on Linux. */
import { expect } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import type { Bpf } from "../../src/kernel/bpf.ts";
import { outcome } from "../support/bpffs.ts";
import { frame, load, u32 } from "../support/kernel.ts";
import { onKernels } from "../support/kernels.ts";

const array = (bpf: Bpf, more: object = {}) =>
  bpf.mapCreate({
    mapType: abi.BPF_MAP_TYPE_ARRAY,
    keySize: 4,
    valueSize: 12,
    maxEntries: 3,
    mapFlags: abi.BPF_F_MMAPABLE,
    ...more,
  });

onKernels("memory and map are one", (bpf) => {
  const m = array(bpf);
  using memory = bpf.mapMmap!(m);
  // Values of 12 bytes stand 16 apart.
  expect(memory.bytes.length).toBe(48);
  memory.bytes.set(u32(1, 2, 3), 16);
  expect(bpf.mapLookupElem(m, u32(1))).toEqual(u32(1, 2, 3));
  bpf.mapUpdateElem(m, u32(2), u32(7, 8, 9));
  expect(memory.bytes.slice(32, 44)).toEqual(u32(7, 8, 9));
  const asm = `
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = map[m] ll
    call map_lookup_elem
    if r0 == 0 goto out
    *(u32 *)(r0 + 4) = 77
  out:
    r0 = 2
    exit`;
  const prog = load(bpf, asm, { maps: { m } });
  bpf.progTestRun(prog, { dataIn: frame() });
  expect(memory.bytes.slice(4, 8)).toEqual(u32(77));
});

onKernels("memory outlives the fd, and nothing is there once it is closed", (bpf) => {
  const m = array(bpf);
  const memory = bpf.mapMmap!(m);
  bpf.close(m);
  memory.bytes.set(u32(5), 0);
  expect(memory.bytes.slice(0, 4)).toEqual(u32(5));
  memory.close();
  memory.close();
  expect(memory.bytes.length).toBe(0);
});

onKernels("what is refused", (bpf) => {
  expect(outcome(() => bpf.mapMmap!(array(bpf, { mapFlags: 0 })))).toMatch(/ENOTSUPP|EINVAL/);
  const m = array(bpf);
  const writes = bpf.mapMmap!(m);
  expect(outcome(() => bpf.mapFreeze(m))).toBe("EBUSY");
  writes.close();
  using reads = bpf.mapMmap!(m, { readonly: true });
  bpf.mapFreeze(m);
  expect(reads.bytes.length).toBe(48);
  expect(outcome(() => bpf.mapMmap!(m))).toBe("EPERM");
  const rdonly = array(bpf, { mapFlags: abi.BPF_F_MMAPABLE | abi.BPF_F_RDONLY });
  expect(outcome(() => bpf.mapMmap!(rdonly))).toBe("EACCES");
  expect(outcome(() => bpf.mapMmap!(rdonly, { readonly: true }))).toBe("EINVAL");
});
