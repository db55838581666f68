/** CO-RE relocations that the kernel applies, on skep and on the running Linux. */
import { expect } from "vitest";
import * as abi from "../../../src/abi/bpf.ts";
import { BpfError } from "../../../src/abi/errno.ts";
import { parseBtf } from "../../../src/btf/btf.ts";
import { BtfBuilder } from "../../../src/btf/build.ts";
import { assemble } from "../../../src/isa/assemble.ts";
import { encode } from "../../../src/isa/codec.ts";
import type { Bpf } from "../../../src/kernel/bpf.ts";
import { u32 } from "../../support/kernel.ts";
import { onKernels } from "../../support/kernels.ts";

/** struct task_struct { int pid; int no_such; }; int f(void) */
function typesOf(access: string): { bytes: Uint8Array; struct: number; func: number; accessOff: number } {
  const b = new BtfBuilder();
  const int = b.signedInt("int", 4);
  const struct = b.struct("task_struct", 8, [
    { name: "pid", type: int, bitOffset: 0, bitfieldSize: 0 },
    { name: "no_such", type: int, bitOffset: 32, bitfieldSize: 0 },
  ]);
  const func = b.func("f", b.funcProto(int, []));
  const plain = b.build();
  // The strings come last: the path is put behind them.
  const strLen = new DataView(plain.buffer).getUint32(STR_LEN, true);
  const text = new TextEncoder().encode(`${access}\0`);
  const bytes = new Uint8Array(plain.length + text.length);
  bytes.set(plain);
  bytes.set(text, plain.length);
  new DataView(bytes.buffer).setUint32(STR_LEN, strLen + text.length, true);
  return { bytes, struct, func, accessOff: strLen };
}

const STR_LEN = 20;

/** What "r0 = imm; exit" gives with a relocation of its first instruction, or its errno. */
function relocated(bpf: Bpf, imm: number, access: string, kind: number, insnOff = 0): number | string {
  const { bytes, struct, func, accessOff } = typesOf(access);
  const btf = bpf.btfLoad(bytes);
  try {
    const { fd } = bpf.progLoad({
      progType: abi.BPF_PROG_TYPE_XDP,
      insns: encode(assemble(`r0 = ${imm}\nexit`).insns),
      license: "GPL",
      progBtfFd: btf,
      funcInfo: u32(0, func),
      funcInfoRecSize: 8,
      coreRelos: u32(insnOff, struct, accessOff, kind),
      coreReloRecSize: 16,
    });
    const { retval } = bpf.progTestRun(fd, { dataIn: new Uint8Array(64) });
    bpf.close(fd);
    return retval;
  } catch (e) {
    if (e instanceof BpfError) return e.message.replace(/.*: /s, "");
    throw e;
  } finally {
    bpf.close(btf);
  }
}

onKernels("the offset of a field in the kernel's struct", (bpf) => {
  const types = parseBtf(bpf.kernelBtf());
  const { bitOffset } = types.findMember(types.byName("task_struct"), "pid")!;
  expect(bitOffset).toBeGreaterThan(0);
  expect(relocated(bpf, 0, "0:0", abi.BPF_CORE_FIELD_BYTE_OFFSET)).toBe(bitOffset / 8);
});

const ROWS: readonly [
  name: string,
  imm: number,
  access: string,
  kind: number,
  insnOff: number,
  gives: number | string,
][] = [
  ["a field that is there", 1, "0:0", abi.BPF_CORE_FIELD_EXISTS, 0, 1],
  ["a field that is not there", 1, "0:1", abi.BPF_CORE_FIELD_EXISTS, 0, 0],
  ["the offset of a field that is not there poisons", 4, "0:1", abi.BPF_CORE_FIELD_BYTE_OFFSET, 0, "EINVAL"],
  ["an instruction that holds another number", 3, "0:0", abi.BPF_CORE_FIELD_BYTE_OFFSET, 0, "EINVAL"],
  ["an instruction that has no immediate", 0, "0:0", abi.BPF_CORE_FIELD_BYTE_OFFSET, 8, "EINVAL"],
  ["no instruction", 0, "0:0", abi.BPF_CORE_FIELD_BYTE_OFFSET, 16, "EINVAL"],
  ["half an instruction", 0, "0:0", abi.BPF_CORE_FIELD_BYTE_OFFSET, 4, "EINVAL"],
  ["a path that is none", 0, "x", abi.BPF_CORE_FIELD_BYTE_OFFSET, 0, "EINVAL"],
];

for (const [name, imm, access, kind, insnOff, gives] of ROWS) {
  onKernels(`${name}: ${gives}`, (bpf) => expect(relocated(bpf, imm, access, kind, insnOff)).toBe(gives));
}
