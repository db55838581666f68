/** struct bpf_prog_info of a program. */
import { encode } from "../isa/codec.ts";
import type { Caps } from "../verifier/platform.ts";
import type { ProgInfo } from "./bpf.ts";
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
    xlated: caps.bpf ? encode(prog.image.insns) : nothing,
    verifiedInsns: prog.verified.stats.insnsProcessed,
    runTimeNs: prog.runTimeNs,
    runCnt: prog.runCount,
    recursionMisses: prog.recursionMisses,
    funcInfo: caps.bpf ? facts.funcInfo : nothing,
    lineInfo: caps.bpf ? facts.lineInfo : nothing,
  };
}
