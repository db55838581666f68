/**
 * 64-bit immediates that stand for something: maps, map values, kernel symbols, functions of the program. Before
 * simulation the things are looked up, and every opcode is checked to exist.
 *
 * Source   kernel/bpf/verifier.c: resolve_pseudo_ldimm64, check_pseudo_btf_id, check_ld_imm.
 */
import { BPF_MAP_TYPE_ARENA, BPF_MAP_TYPE_ARRAY } from "../abi/bpf.ts";
import { E2BIG, EBADF, EINVAL, ENOENT, ENOTSUPP, EPROTO } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import { BTF_KIND_DATASEC, BTF_KIND_FUNC, BTF_KIND_STRUCT, BTF_KIND_UNION, BTF_KIND_VAR } from "../btf/kinds.ts";
import { MEM_PERCPU, MEM_RDONLY } from "../helpers/types.ts";
import { opcodesOf } from "../isa/opcodes.ts";
import { BPF_MAX_VAR_OFF } from "./alu.ts";
import type { VerifierEnv } from "./env.ts";
import { checkMapProgCompatibility } from "./map_compat.ts";
import type { VerifierMap } from "./platform.ts";
import {
  CONST_PTR_TO_MAP,
  PTR_TO_BTF_ID,
  PTR_TO_FUNC,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  SCALAR_VALUE,
} from "./reg_type.ts";
import { checkRegArg, DST_OP, markRegKnownZero, markRegUnknown } from "./regs.ts";
import { findSubprog } from "./subprogs.ts";

const LD_IMM64 = 0x18;
/** Call by register: an instruction of RFC 9669 that Linux does not take. */
const CALLX = 0x8d;
const BPF_PSEUDO_MAP_FD = 1;
const BPF_PSEUDO_MAP_VALUE = 2;
const BPF_PSEUDO_BTF_ID = 3;
const BPF_PSEUDO_FUNC = 4;
const BPF_PSEUDO_MAP_IDX = 5;
const BPF_PSEUDO_MAP_IDX_VALUE = 6;

/** Kernel symbol that an instruction names: what its address is to the program. */
export interface KsymVar {
  readonly regType: number;
  readonly btf: Btf;
  readonly btfId: number;
  readonly memSize: number;
}

/** resolve_pseudo_ldimm64(). @throws Reject */
export function resolveLdImm64(env: VerifierEnv): void {
  const { code, dst, src, off, imm, length } = env.insns;
  for (let i = 0; i < length; i++) {
    const c = code[i];
    const mode = c & 0xe0;
    if ((c & 7) === 1 && ((mode !== 0x60 && mode !== 0x80) || imm[i] !== 0)) {
      env.reject(EINVAL, "BPF_LDX uses reserved fields");
    }
    if (c === LD_IMM64) {
      if (i === length - 1 || code[i + 1] || dst[i + 1] || src[i + 1] || off[i + 1]) {
        env.reject(EINVAL, "invalid bpf_ld_imm64 insn");
      }
      resolveOne(env, i);
      i++;
    } else if (c === CALLX || !opcodesOf(c).length) {
      env.reject(EINVAL, `unknown opcode ${c.toString(16).padStart(2, "0")}`);
    }
  }
}

function resolveOne(env: VerifierEnv, i: number): void {
  const { src, imm } = env.insns;
  switch (src[i]) {
    case 0:
    case BPF_PSEUDO_FUNC:
      return;
    case BPF_PSEUDO_BTF_ID:
      resolveKsym(env, i);
      return;
    case BPF_PSEUDO_MAP_FD:
    case BPF_PSEUDO_MAP_IDX:
      if (imm[i + 1] !== 0) env.reject(EINVAL, "unrecognized bpf_ld_imm64 insn");
      env.mapRefs.set(i, { map: usedMap(env, i), off: undefined });
      return;
    case BPF_PSEUDO_MAP_VALUE:
    case BPF_PSEUDO_MAP_IDX_VALUE: {
      const map = usedMap(env, i);
      const off = imm[i + 1] >>> 0;
      if (off >= BPF_MAX_VAR_OFF) env.reject(EINVAL, `direct value offset of ${off} is not allowed`);
      checkDirectValue(env, map, off);
      env.mapRefs.set(i, { map, off });
      return;
    }
    default:
      env.reject(EINVAL, "unrecognized bpf_ld_imm64 insn");
  }
}

/** map_direct_value_addr(). */
function checkDirectValue(env: VerifierEnv, map: VerifierMap, off: number): void {
  if (map.type === BPF_MAP_TYPE_ARENA) return;
  if (map.type !== BPF_MAP_TYPE_ARRAY) env.reject(EINVAL, "no direct value access support for this map type");
  const bad = `invalid access to map value pointer, value_size=${map.valueSize} off=${off}`;
  if (map.maxEntries !== 1) env.reject(ENOTSUPP, bad);
  if (off >= map.valueSize) env.reject(EINVAL, bad);
}

function usedMap(env: VerifierEnv, i: number): VerifierMap {
  const { src, imm } = env.insns;
  const byIdx = src[i] === BPF_PSEUDO_MAP_IDX || src[i] === BPF_PSEUDO_MAP_IDX_VALUE;
  if (byIdx && !env.input.mapByIdx) env.reject(EPROTO, "fd_idx without fd_array is invalid");
  const map = byIdx ? env.input.mapByIdx!(imm[i]) : env.input.mapByFd(imm[i]);
  // The standard streams are open, but are no maps.
  if (!map)
    env.reject(!byIdx && imm[i] >= 0 && imm[i] <= 2 ? EINVAL : EBADF, `fd ${imm[i]} is not pointing to valid bpf_map`);
  if (env.usedMaps.includes(map)) return map;
  checkMapProgCompatibility(env, map);
  if (env.usedMaps.length >= env.limits.usedMaps) {
    env.reject(E2BIG, `The total number of maps per program has reached the limit of ${env.limits.usedMaps}`);
  }
  env.usedMaps.push(map);
  if (map.type === BPF_MAP_TYPE_ARENA) env.arena = map;
  return map;
}

/** check_pseudo_btf_id(). */
function resolveKsym(env: VerifierEnv, i: number): void {
  const { imm } = env.insns;
  const fd = imm[i + 1];
  const btf = fd ? env.input.btfByFd?.(fd) : env.platform.btf;
  if (!btf) {
    env.reject(
      EINVAL,
      fd
        ? "invalid module BTF object FD specified."
        : "kernel is missing BTF, make sure CONFIG_DEBUG_INFO_BTF=y is specified in Kconfig.",
    );
  }
  const id = imm[i];
  const kind = btf.kind(id);
  if (!kind) env.reject(ENOENT, `ldimm64 insn specifies invalid btf_id ${id}.`);
  if (kind !== BTF_KIND_VAR && kind !== BTF_KIND_FUNC) {
    env.reject(EINVAL, `pseudo btf_id ${id} in ldimm64 isn't KIND_VAR or KIND_FUNC`);
  }
  if (kind === BTF_KIND_FUNC) {
    env.ksyms.set(i, { regType: PTR_TO_MEM | MEM_RDONLY, btf, btfId: id, memSize: 0 });
    return;
  }
  if (!env.platform.config.kallsymsAll) {
    env.reject(ENOENT, `ldimm64 failed to find the address for kernel symbol '${btf.nameOf(id)}'.`);
  }
  const type = btf.ref(id);
  const resolved = btf.skipModifiers(type);
  if (isPercpu(btf, id)) {
    env.ksyms.set(i, { regType: PTR_TO_BTF_ID | MEM_PERCPU, btf, btfId: type, memSize: 0 });
  } else if (btf.kind(resolved) === BTF_KIND_STRUCT || btf.kind(resolved) === BTF_KIND_UNION) {
    env.ksyms.set(i, { regType: PTR_TO_BTF_ID, btf, btfId: type, memSize: 0 });
  } else {
    env.ksyms.set(i, { regType: PTR_TO_MEM | MEM_RDONLY, btf, btfId: type, memSize: Math.max(0, btf.size(resolved)) });
  }
}

function isPercpu(btf: Btf, varId: number): boolean {
  const id = btf.byName(".data..percpu", BTF_KIND_DATASEC);
  if (!id) return false;
  const sec = btf.type(id);
  return sec.kind === BTF_KIND_DATASEC && sec.vars.some((v) => v.type === varId);
}

/** check_ld_imm(): runs the ld_imm64 at i; the caller steps over both slots. */
export function checkLdImm(env: VerifierEnv, i: number): void {
  const { code, dst, src, off, imm } = env.insns;
  const R = env.R;
  if (code[i] !== LD_IMM64) env.reject(EINVAL, "invalid BPF_LD_IMM insn");
  if (off[i] !== 0) env.reject(EINVAL, "BPF_LD_IMM64 uses reserved fields");
  checkRegArg(env, dst[i], DST_OP);
  const reg = env.reg(dst[i]);
  if (src[i] === 0) {
    R.setType(reg, SCALAR_VALUE);
    R.setConst64(reg, imm[i], imm[i + 1]);
    return;
  }
  markRegKnownZero(env, reg);
  R.setPrecise(reg, false);
  if (src[i] === BPF_PSEUDO_BTF_ID) {
    const ksym = env.ksyms.get(i)!;
    R.setType(reg, ksym.regType);
    if ((ksym.regType & 0xff) === PTR_TO_MEM) R.setMemSize(reg, ksym.memSize);
    else R.setBtf(reg, env.btfIndex(ksym.btf), ksym.btfId);
    return;
  }
  if (src[i] === BPF_PSEUDO_FUNC) {
    const subprogno = findSubprog(env, i + imm[i] + 1);
    if (!env.input.funcInfo?.length) env.reject(EINVAL, "missing btf func_info");
    if (env.subprogs[subprogno].global) env.reject(EINVAL, "callback function not static");
    R.setType(reg, PTR_TO_FUNC);
    R.setU(reg, 0, subprogno);
    return;
  }
  const ref = env.mapRefs.get(i)!;
  if (ref.off !== undefined && ref.map.type === BPF_MAP_TYPE_ARENA) {
    markRegUnknown(env, reg);
    return;
  }
  R.setMap(reg, env.mapIndex(ref.map), 0);
  if (ref.off !== undefined) {
    R.setType(reg, PTR_TO_MAP_VALUE);
    R.setOff(reg, ref.off);
  } else {
    R.setType(reg, CONST_PTR_TO_MAP);
  }
}
