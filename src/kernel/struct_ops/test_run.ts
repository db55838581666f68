/**
 * BPF_PROG_TEST_RUN of programs for struct bpf_dummy_ops: calls the function with the u64 arguments of ctx_in.
 *
 * State    an argument other than 0 in front stands for a struct bpf_dummy_ops_state: data_in has its bytes and data_out what
 *          became of them. (On Linux the argument is its address in the caller's memory.)
 * Errors   EOPNOTSUPP a program of another struct; EINVAL not one u64 for each argument, 0 for a pointer that may not be NULL;
 *          EFAULT no bytes of the state.
 * Source   net/bpf/bpf_dummy_struct_ops.c.
 */
import { BpfError, EFAULT, EINVAL, EOPNOTSUPP } from "../../abi/errno.ts";
import { BTF_KIND_FUNC, BTF_KIND_PTR, BTF_KIND_STRUCT } from "../../btf/kinds.ts";
import type { TestRunAttr, TestRunResult } from "../bpf.ts";
import type { Process } from "../process.ts";
import type { Prog } from "../prog.ts";
import { callOp } from "./ops.ts";

const STRUCT = "bpf_dummy_ops";
const STATE_BYTES = 4;
const NOTHING = new Uint8Array();

export function runStructOps(proc: Process, prog: Prog, attr: TestRunAttr): TestRunResult {
  const { kernel } = proc;
  const btf = kernel.platform.btf;
  const { attachBtfId, expectedAttachType } = prog.facts;
  const what = `test run of '${prog.name}'`;
  if (!btf || btf.byName(STRUCT, BTF_KIND_STRUCT) !== attachBtfId) {
    throw new BpfError(EOPNOTSUPP, `${what}: only programs for ${STRUCT} are run`, { attachBtfId });
  }
  const member = btf.members(attachBtfId)[expectedAttachType]!;
  const proto = btf.resolve(btf.ref(btf.resolve(member.type)));
  const ctx = attr.ctxIn ?? NOTHING;
  if (ctx.length !== 8 * btf.vlen(proto)) {
    throw new BpfError(EINVAL, `${what}: ctx_in of ${ctx.length} bytes; wanted ${8 * btf.vlen(proto)}`, {});
  }
  const args = [...new BigUint64Array(ctx.slice().buffer)];
  const stub = btf.byName(`${STRUCT}__${member.name}`, BTF_KIND_FUNC);
  args.forEach((arg, i) => {
    const pointer = btf.kind(btf.resolve(btf.paramType(proto, i))) === BTF_KIND_PTR;
    const nullable = stub !== 0 && btf.paramName(btf.ref(stub), i).endsWith("__nullable");
    if (arg === 0n && pointer && !nullable) throw new BpfError(EINVAL, `${what}: argument ${i} may not be NULL`, { i });
  });
  const { memory } = kernel;
  const state = memory.alloc(8);
  try {
    const given = attr.dataIn ?? NOTHING;
    if (args[0]) {
      if (given.length !== STATE_BYTES) throw new BpfError(EFAULT, `${what}: wanted the state in data_in`, {});
      memory.writeBytes(state, given);
      args[0] = BigInt(state);
    }
    const retval = Number(BigInt.asUintN(32, callOp(kernel, prog, args)));
    const dataOut = args[0] ? memory.readBytes(state, STATE_BYTES) : NOTHING;
    return { retval, dataOut, ctxOut: NOTHING, durationNs: 0 };
  } finally {
    memory.free(state);
  }
}
