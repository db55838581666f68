/** The programs of a set, from assembler text, with the BTF that replacing a function asks for. */
import { BPF_PSEUDO_MAP_VALUE } from "../../src/abi/bpf.ts";
import { BtfBuilder } from "../../src/btf/build.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import type { Fd } from "../../src/kernel/bpf.ts";

/** Bytes of struct bpf_func_info. */
const FUNC_INFO = 8;

/** Sets its bits in the first value of a map and returns. */
export function assembleMarker(marks: Fd, bits: number, ret: number): Uint8Array {
  const text = `r1 = map[m][0] ll\nr2 = *(u64 *)(r1 + 0)\nr2 |= ${bits}\n*(u64 *)(r1 + 0) = r2\nr0 = ${ret}\nexit`;
  return encode(assemble(text, { symbol: () => ({ src: BPF_PSEUDO_MAP_VALUE, imm: marks }) }).insns);
}

interface Typed {
  /** Raw BTF. */
  readonly bytes: Uint8Array;
  readonly funcInfo: Uint8Array;
  readonly funcInfoRecSize: number;
}

export interface Stages {
  readonly dispatcher: Typed & { readonly insns: Uint8Array };
  /** Of a program for any stage. */
  readonly extension: Typed;
  /** BTF id of each stage's function, by name. */
  readonly ids: Readonly<Record<string, number>>;
}

/** A dispatcher with these stages: global functions `int NAME(struct xdp_md *ctx)`, called in order. */
export function stagesBtf(names: readonly string[]): Stages {
  const calls = names.map((name) => `r1 = r6\ncall ${name}\n`).join("");
  const bodies = names.map((name) => `${name}:\nr0 = 0\nexit\n`).join("");
  const { insns, labels } = assemble(`r6 = r1\n${calls}r0 = 2\nexit\n${bodies}`);
  const { bytes, ids } = btfOf(["dispatcher", ...names]);
  const slots = ["dispatcher", ...names].map((name) => [labels.get(name) ?? 0, ids[name]!] as const);
  const extension = btfOf(["extension"]);
  return {
    dispatcher: { bytes, insns: encode(insns), ...funcInfo(slots) },
    extension: { bytes: extension.bytes, ...funcInfo([[0, extension.ids["extension"]!]]) },
    ids,
  };
}

function btfOf(names: readonly string[]): { bytes: Uint8Array; ids: Record<string, number> } {
  const btf = new BtfBuilder();
  const int = btf.signedInt("int", 4);
  const ctx = btf.ptr(btf.struct("xdp_md", 4, [{ name: "data", type: int, bitOffset: 0, bitfieldSize: 0 }]));
  const proto = btf.funcProto(int, [{ name: "ctx", type: ctx }]);
  const ids = Object.fromEntries(names.map((name) => [name, btf.func(name, proto)]));
  return { bytes: btf.build(), ids };
}

function funcInfo(records: readonly (readonly [slot: number, typeId: number])[]): Omit<Typed, "bytes"> {
  return { funcInfo: new Uint8Array(Uint32Array.from(records.flat()).buffer), funcInfoRecSize: FUNC_INFO };
}
