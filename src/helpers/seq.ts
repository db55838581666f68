/**
 * Output of BPF iterators.
 *
 * Source   kernel/trace/bpf_trace.c.
 */
import { BPF_FUNC_seq_printf, BPF_FUNC_seq_printf_btf, BPF_FUNC_seq_write } from "../abi/bpf.ts";
import { EINVAL, EOPNOTSUPP, EOVERFLOW } from "../abi/errno.ts";
import { formatBpf } from "./format.ts";
import type { Helper, Runtime } from "./helper.ts";
import { arrayArgs } from "./print.ts";
import {
  ARG_ANYTHING,
  ARG_CONST_SIZE,
  ARG_CONST_SIZE_OR_ZERO,
  ARG_PTR_TO_BTF_ID,
  ARG_PTR_TO_MEM,
  MEM_RDONLY,
  PTR_MAYBE_NULL,
  RET_INTEGER,
} from "./types.ts";

export const seq_printf: Helper = {
  id: BPF_FUNC_seq_printf,
  name: "seq_printf",
  proto: {
    args: [
      ARG_PTR_TO_BTF_ID,
      ARG_PTR_TO_MEM | MEM_RDONLY,
      ARG_CONST_SIZE,
      ARG_PTR_TO_MEM | PTR_MAYBE_NULL | MEM_RDONLY,
      ARG_CONST_SIZE_OR_ZERO,
    ],
    ret: RET_INTEGER,
    argBtf: ["seq_file"],
    gplOnly: true,
  },
  abi: "ppppp:i",
  call: seqPrintf,
};

export const seq_write: Helper = {
  id: BPF_FUNC_seq_write,
  name: "seq_write",
  proto: {
    args: [ARG_PTR_TO_BTF_ID, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE_OR_ZERO],
    ret: RET_INTEGER,
    argBtf: ["seq_file"],
    gplOnly: true,
  },
  abi: "ppp:i",
  call: seqWrite,
};

export const seq_printf_btf: Helper = {
  id: BPF_FUNC_seq_printf_btf,
  name: "seq_printf_btf",
  proto: {
    args: [ARG_PTR_TO_BTF_ID, ARG_PTR_TO_MEM | MEM_RDONLY, ARG_CONST_SIZE_OR_ZERO, ARG_ANYTHING],
    ret: RET_INTEGER,
    argBtf: ["seq_file"],
    gplOnly: true,
  },
  abi: "pppq:i",
  unsupported: { errno: EOPNOTSUPP, reason: "printing by BTF id needs ids of the running kernel" },
};

declare module "./helper.ts" {
  interface RuntimeServices {
    /** Open iterators by the address of their struct seq_file; false when the bytes do not fit. */
    readonly seq: { write(seq: number, bytes: Uint8Array): boolean };
  }
}

function seqPrintf(rt: Runtime, seq: number, fmt: number, size: number, data: number, dataLen: number): number {
  const args = arrayArgs(rt, data, dataLen);
  const text = args ? formatBpf(rt.memory, fmt >>> 0, size >>> 0, args) : -EINVAL;
  if (typeof text === "number") return text;
  return rt.services.seq.write(seq >>> 0, new TextEncoder().encode(text)) ? 0 : -EOVERFLOW;
}

function seqWrite(rt: Runtime, seq: number, data: number, len: number): number {
  return rt.services.seq.write(seq >>> 0, rt.memory.readBytes(data >>> 0, len >>> 0)) ? 0 : -EOVERFLOW;
}
