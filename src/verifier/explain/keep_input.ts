/**
 * The input of a refused program, kept for a later look: fds may be closed and maps freed by then, so what they
 * stood for is taken now. Costs a pass over the instructions.
 */
import type { Btf } from "../../btf/btf.ts";
import type { VerifierMap, VerifyInput } from "../platform.ts";

const LD_IMM64 = 0x18;
const CALL = 0x85;
const BPF_F_RDONLY_PROG = 1 << 7;
// src of ld_imm64 (BPF_PSEUDO_*).
const MAP_FD = 1;
const MAP_VALUE = 2;
const BTF_ID = 3;
const MAP_IDX = 5;
const MAP_IDX_VALUE = 6;

export function keepInput(input: VerifyInput): VerifyInput {
  const { insns } = input;
  const fds = new Map<number, VerifierMap | undefined>();
  const idxs = new Map<number, VerifierMap | undefined>();
  const btfFds = new Map<number, Btf | undefined>();
  const btfIdxs = new Map<number, Btf | undefined>();
  const kept = new Map<VerifierMap, VerifierMap>();
  const keep = (map: VerifierMap | undefined) => {
    if (!map) return undefined;
    let copy = kept.get(map);
    if (!copy) kept.set(map, (copy = keepMap(map)));
    return copy;
  };
  for (let i = 0; i < insns.length; i++) {
    const imm = insns.imm[i];
    const src = insns.src[i];
    if (insns.code[i] === LD_IMM64) {
      if (src === MAP_FD || src === MAP_VALUE) {
        if (!fds.has(imm)) fds.set(imm, keep(input.mapByFd(imm)));
      } else if (src === MAP_IDX || src === MAP_IDX_VALUE) {
        if (!idxs.has(imm)) idxs.set(imm, keep(input.mapByIdx?.(imm)));
      } else if (src === BTF_ID && i + 1 < insns.length) {
        const fd = insns.imm[i + 1];
        btfFds.set(fd, input.btfByFd?.(fd));
      }
      i++;
    } else if (insns.code[i] === CALL && src === 2 && insns.off[i]) {
      btfIdxs.set(insns.off[i], input.btfByIdx?.(insns.off[i]));
    }
  }
  return {
    ...input,
    logLevel: 0,
    complexity: false,
    mapByFd: (fd) => fds.get(fd),
    ...(input.mapByIdx && { mapByIdx: (idx) => idxs.get(idx) }),
    ...(input.btfByIdx && { btfByIdx: (idx) => btfIdxs.get(idx) }),
    ...(input.btfByFd && { btfByFd: (fd) => btfFds.get(fd) }),
  };
}

/** Its facts, and the bytes that the verifier may take for constants. */
function keepMap(map: VerifierMap): VerifierMap {
  const constant = map.frozen && (map.mapFlags & BPF_F_RDONLY_PROG) !== 0 && map.maxEntries === 1;
  const bytes = constant ? map.readValue?.(0, map.valueSize)?.slice() : undefined;
  return {
    name: map.name,
    type: map.type,
    keySize: map.keySize,
    valueSize: map.valueSize,
    maxEntries: map.maxEntries,
    mapFlags: map.mapFlags,
    mapExtra: map.mapExtra,
    btf: map.btf,
    btfKeyTypeId: map.btfKeyTypeId,
    btfValueTypeId: map.btfValueTypeId,
    ...(map.btfVmlinuxValueTypeId !== undefined && { btfVmlinuxValueTypeId: map.btfVmlinuxValueTypeId }),
    record: map.record,
    inner: map.inner && keepMap(map.inner),
    frozen: map.frozen,
    ...(map.directValue !== undefined && { directValue: map.directValue }),
    ...(bytes && { readValue: (off: number, size: number) => bytes.subarray(off, off + size) }),
  };
}
