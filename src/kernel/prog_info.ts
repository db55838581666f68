/** struct bpf_prog_info of a program. */
import { encode } from "../isa/codec.ts";
import type { ProgInfo } from "./bpf.ts";
import type { Prog } from "./prog.ts";

export function progInfo(prog: Prog): ProgInfo {
  const { facts } = prog;
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
    xlated: encode(prog.image.insns),
    verifiedInsns: prog.verified.stats.insnsProcessed,
    runTimeNs: 0n,
    runCnt: prog.runCount,
    funcInfo: facts.funcInfo,
    lineInfo: facts.lineInfo,
  };
}
