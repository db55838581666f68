/** Maps by process-local numbers: the same on skep and on Linux. */
import { expect } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import { LocalMaps } from "../../src/loader/local_maps.ts";
import { frame, u32, u64 } from "../support/kernel.ts";
import { onKernels } from "../support/kernels.ts";

const ARRAY = { mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 };

/** Reads the first value of local map `n`. */
function reader(n: number): { progType: number; license: string; insns: Uint8Array } {
  const { insns } = assemble(
    `r1 = map[m] ll
     *(u32 *)(r10 - 4) = 0
     r2 = r10
     r2 += -4
     call map_lookup_elem
     if r0 == 0 goto out
     r0 = *(u64 *)(r0 + 0)
    out:
     exit`,
    { symbol: () => ({ src: abi.BPF_PSEUDO_MAP_IDX, imm: n }) },
  );
  return { progType: abi.BPF_PROG_TYPE_SOCKET_FILTER, license: "GPL", insns: encode(insns) };
}

onKernels("two sets use the same numbers and do not collide; one map is in both", (bpf) => {
  using red = new LocalMaps(bpf);
  using blue = new LocalMaps(bpf);
  for (const [set, value] of [
    [red, 5n],
    [blue, 7n],
  ] as const) {
    // pre-filled before any program exists
    bpf.mapUpdateElem(set.create(1, ARRAY), u32(0), u64(value));
  }
  const common = red.create(3, ARRAY);
  blue.share(0, common);
  const run = (set: LocalMaps, n: number) => {
    const { fd } = set.load(reader(n));
    const { retval } = bpf.progTestRun(fd, { dataIn: frame() });
    bpf.close(fd);
    return retval;
  };
  expect([run(red, 1), run(blue, 1)]).toEqual([5, 7]);
  bpf.mapUpdateElem(common, u32(0), u64(9n));
  expect([run(red, 3), run(blue, 0)]).toEqual([9, 9]);
});

onKernels("numbers that name nothing", (bpf) => {
  using maps = new LocalMaps(bpf);
  expect(() => maps.create(64, ARRAY)).toThrow("EINVAL");
  expect(() => maps.create(-1, ARRAY)).toThrow("EINVAL");
  maps.create(2, ARRAY);
  expect(() => maps.create(2, ARRAY)).toThrow("EEXIST");
  expect(() => maps.fd(1)).toThrow("ENOENT");
  expect(() => maps.load(reader(1))).toThrow("EBADF");
  expect(() => maps.create(5, { ...ARRAY, keySize: 3 })).toThrow("EINVAL");
  expect(maps.create(5, ARRAY)).toBe(maps.fd(5));
});

onKernels("a program keeps its maps when the set is gone", (bpf) => {
  const maps = new LocalMaps(bpf);
  bpf.mapUpdateElem(maps.create(1, ARRAY), u32(0), u64(11n));
  const { fd } = maps.load(reader(1));
  maps[Symbol.dispose]();
  expect(bpf.progTestRun(fd, { dataIn: frame() }).retval).toBe(11);
  bpf.close(fd);
});
