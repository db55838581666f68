/** struct bpf_prog_info of a program. */
import { BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE } from "../abi/bpf.ts";
import { cloneInsns, encode } from "../isa/codec.ts";
import type { Caps } from "../verifier/platform.ts";
import type { ProgInfo } from "./bpf.ts";
import type { KMap } from "./map.ts";
import type { Prog } from "./prog.ts";

/** Without CAP_BPF the instructions and what describes them are left out (bpf_prog_get_info_by_fd()). */
export function progInfo(prog: Prog, caps: Pick<Caps, "bpf">): ProgInfo {
  const { facts } = prog;
  const nothing = new Uint8Array();
  return {
    type: prog.type,
    id: prog.id,
    tag: facts.tag,
    name: facts.name,
    gplCompatible: facts.gplCompatible,
    createdByUid: facts.uid,
    loadTimeNs: prog.loadTimeNs,
    mapIds: prog.maps.map((m) => m.id),
    btfId: facts.btf?.id ?? 0,
    attachBtfObjId: 0,
    attachBtfId: facts.attachBtfId,
    expectedAttachType: facts.expectedAttachType,
    ifindex: 0,
    xlated: caps.bpf ? xlated(prog) : nothing,
    verifiedInsns: prog.verified.stats.insnsProcessed,
    runTimeNs: prog.runTimeNs,
    runCnt: prog.runCount,
    recursionMisses: prog.recursionMisses,
    funcInfo: caps.bpf ? facts.funcInfo : nothing,
    lineInfo: caps.bpf ? facts.lineInfo : nothing,
  };
}

/** The instructions as they run, but maps by their id instead of an address (bpf_insn_prepare_dump()). */
function xlated(prog: Prog): Uint8Array {
  const insns = cloneInsns(prog.image.insns);
  for (const [idx, { map, off }] of prog.verified.mapRefs) {
    insns.src[idx] = off === undefined ? BPF_PSEUDO_MAP_FD : BPF_PSEUDO_MAP_VALUE;
    insns.imm[idx] = (map as KMap).id;
    insns.imm[idx + 1] = off ?? 0;
  }
  return encode(insns);
}
