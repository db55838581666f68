/**
 * BPF_PROG_LOAD: checks in Linux's order, then verify(), then a Prog.
 *
 * Errors   those of bpf_prog_load() and bpf_prog_load_check_attach() as BpfError; a refused program as VerifierError.
 */
import * as abi from "../abi/bpf.ts";
import { BpfError, E2BIG, EACCES, EINVAL, ENOTSUPP, EPERM, type Errno } from "../abi/errno.ts";
import type { Btf } from "../btf/btf.ts";
import { toHex } from "../bytes/hex.ts";
import { decode } from "../isa/codec.ts";
import type { AttachProg, FuncInfoRec, LineInfoRec, VerifyInput } from "../verifier/platform.ts";
import { verify } from "../verifier/verify.ts";
import { attachTypesOf } from "./attach_types.ts";
import type { Fd, ProgLoadAttr, ProgLoadResult } from "./bpf.ts";
import { applyCoreRelos } from "./core_relos.ts";
import { imageOf } from "./image.ts";
import type { KMap } from "./map.ts";
import { claimProgArray } from "./map_slots.ts";
import { checkObjName } from "./names.ts";
import type { Process } from "./process.ts";
import { Prog, type ProgFacts, resolvedType } from "./prog.ts";
import { progDigest, progTag } from "./prog_tag.ts";
import { ProgStreams } from "./streams.ts";
import { capsWith, tokenFor } from "./token.ts";

const LOAD_FLAGS =
  abi.BPF_F_STRICT_ALIGNMENT |
  abi.BPF_F_ANY_ALIGNMENT |
  abi.BPF_F_TEST_STATE_FREQ |
  abi.BPF_F_SLEEPABLE |
  abi.BPF_F_TEST_RND_HI32 |
  abi.BPF_F_XDP_HAS_FRAGS |
  abi.BPF_F_XDP_DEV_BOUND_ONLY |
  abi.BPF_F_TEST_REG_INVARIANTS |
  abi.BPF_F_TOKEN_FD;
const MAX_INSNS = 1_000_000;
/** BPF_MAXINSNS, for the unprivileged. */
const MAX_INSNS_UNPRIV = 4096;
const GPL_LICENSES = new Set([
  "GPL",
  "GPL v2",
  "GPL and additional rights",
  "Dual BSD/GPL",
  "Dual MIT/GPL",
  "Dual MPL/GPL",
]);
/** Types that a process without CAP_BPF may load. */
const UNPRIV_TYPES = new Set([abi.BPF_PROG_TYPE_SOCKET_FILTER, abi.BPF_PROG_TYPE_CGROUP_SKB]);
/** Types that also need CAP_NET_ADMIN (is_net_admin_prog_type). */
const NET_ADMIN_TYPES = new Set([
  abi.BPF_PROG_TYPE_SCHED_CLS,
  abi.BPF_PROG_TYPE_SCHED_ACT,
  abi.BPF_PROG_TYPE_XDP,
  abi.BPF_PROG_TYPE_LWT_IN,
  abi.BPF_PROG_TYPE_LWT_OUT,
  abi.BPF_PROG_TYPE_LWT_XMIT,
  abi.BPF_PROG_TYPE_LWT_SEG6LOCAL,
  abi.BPF_PROG_TYPE_SK_SKB,
  abi.BPF_PROG_TYPE_SK_MSG,
  abi.BPF_PROG_TYPE_FLOW_DISSECTOR,
  abi.BPF_PROG_TYPE_CGROUP_DEVICE,
  abi.BPF_PROG_TYPE_CGROUP_SOCK,
  abi.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
  abi.BPF_PROG_TYPE_CGROUP_SOCKOPT,
  abi.BPF_PROG_TYPE_CGROUP_SYSCTL,
  abi.BPF_PROG_TYPE_SOCK_OPS,
  abi.BPF_PROG_TYPE_EXT,
  abi.BPF_PROG_TYPE_NETFILTER,
]);
/** Types that also need CAP_PERFMON (is_perfmon_prog_type): they read the kernel's memory. */
const PERFMON_TYPES = new Set([
  abi.BPF_PROG_TYPE_KPROBE,
  abi.BPF_PROG_TYPE_TRACEPOINT,
  abi.BPF_PROG_TYPE_PERF_EVENT,
  abi.BPF_PROG_TYPE_RAW_TRACEPOINT,
  abi.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE,
  abi.BPF_PROG_TYPE_TRACING,
  abi.BPF_PROG_TYPE_LSM,
  abi.BPF_PROG_TYPE_STRUCT_OPS,
  abi.BPF_PROG_TYPE_EXT,
]);
/** Types that may name an attach target in BTF. */
const ATTACH_BTF_TYPES = new Set([
  abi.BPF_PROG_TYPE_TRACING,
  abi.BPF_PROG_TYPE_LSM,
  abi.BPF_PROG_TYPE_STRUCT_OPS,
  abi.BPF_PROG_TYPE_EXT,
]);
/** Attach types that put a trampoline into a function of the kernel. */
const TRAMPOLINE_ATTACH = new Set([
  abi.BPF_TRACE_FENTRY,
  abi.BPF_TRACE_FEXIT,
  abi.BPF_MODIFY_RETURN,
  abi.BPF_LSM_MAC,
  abi.BPF_LSM_CGROUP,
]);
const BTF_MAX_TYPE = 0xfffff;

/** Types whose expected attach type is one of the places that their programs go to. */
const AT_PLACES = [
  abi.BPF_PROG_TYPE_CGROUP_SOCK,
  abi.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
  abi.BPF_PROG_TYPE_CGROUP_SKB,
  abi.BPF_PROG_TYPE_CGROUP_SOCKOPT,
  abi.BPF_PROG_TYPE_SK_LOOKUP,
];

/** Expected attach types that a program type accepts; types that are absent accept any. */
const ATTACH_TYPES: Readonly<Record<number, readonly number[]>> = {
  ...Object.fromEntries(AT_PLACES.map((type) => [type, attachTypesOf(type)])),
  [abi.BPF_PROG_TYPE_SK_REUSEPORT]: [abi.BPF_SK_REUSEPORT_SELECT, abi.BPF_SK_REUSEPORT_SELECT_OR_MIGRATE],
  [abi.BPF_PROG_TYPE_NETFILTER]: [abi.BPF_NETFILTER],
  [abi.BPF_PROG_TYPE_SYSCALL]: [0],
  [abi.BPF_PROG_TYPE_EXT]: [0],
};

/** What an unset attach type means (bpf_prog_load_fixup_attach_type). */
const DEFAULT_ATTACH: Readonly<Record<number, number>> = {
  [abi.BPF_PROG_TYPE_CGROUP_SOCK]: abi.BPF_CGROUP_INET_SOCK_CREATE,
  [abi.BPF_PROG_TYPE_SK_REUSEPORT]: abi.BPF_SK_REUSEPORT_SELECT,
};

export function progLoad(proc: Process, attr: ProgLoadAttr): ProgLoadResult {
  const { kernel } = proc;
  const name = attr.name ?? "";
  const fail = (errno: Errno, text: string, context = {}): never => {
    throw new BpfError(errno, `program '${name}': ${text}`, { name, ...context });
  };
  const flags = attr.progFlags ?? 0;
  if (flags & ~LOAD_FLAGS) fail(EINVAL, `unknown flags 0x${(flags & ~LOAD_FLAGS).toString(16)}`, { flags });
  const expectedAttachType = attr.expectedAttachType || DEFAULT_ATTACH[attr.progType] || 0;
  const token = tokenFor(
    proc,
    attr.tokenFd,
    (t) => t.allowsCmd(abi.BPF_PROG_LOAD) && t.allowsProg(attr.progType, expectedAttachType),
  );
  const caps = capsWith(proc, token);
  if (kernel.unprivilegedBpfDisabled && !caps.bpf) {
    fail(EPERM, `needs CAP_BPF: kernel.unprivileged_bpf_disabled is ${kernel.unprivilegedBpfDisabled}`);
  }
  const slots = attr.insnCnt ?? attr.insns.length / 8;
  if (!Number.isInteger(slots)) fail(EINVAL, `${attr.insns.length} bytes of instructions; wanted a multiple of 8`);
  const maxInsns = caps.bpf ? MAX_INSNS : MAX_INSNS_UNPRIV;
  if (slots === 0 || slots > maxInsns) fail(E2BIG, `${slots} instructions; wanted 1 to ${maxInsns}`, { slots });
  const needs = missingCap(attr.progType, caps);
  if (needs) fail(EPERM, `needs ${needs}`, { progType: attr.progType });

  const attachProg = attr.attachProgFd === undefined ? undefined : proc.progAt(attr.attachProgFd);
  const attachBtf = attachTarget(proc, attr, attachProg);
  const attachBtfId = attr.attachBtfId ?? 0;
  checkAttach(attr, expectedAttachType, attachBtfId, attachProg, fail);
  const { insns: insnBytes, license } = attr;
  checkDevice(proc, attr, fail);
  const progType = kernel.platform.progTypes[attr.progType];
  const { config } = kernel.platform;
  if (!progType || config.missingProgTypes.includes(attr.progType)) {
    fail(EINVAL, `program type ${attr.progType} is unknown to this kernel`, { progType: attr.progType });
  }
  if (config.trampolineErrno !== 0 && !attachProg && TRAMPOLINE_ATTACH.has(expectedAttachType) && attachBtfId !== 0) {
    throw new BpfError(
      config.trampolineErrno,
      `program '${name}': this kernel lets no program attach to its functions`,
      {
        name,
      },
    );
  }
  checkObjName(name, "program");

  const insns = decode(insnBytes);
  const { logLevel = 0 } = attr;
  const btf = attr.progBtfFd === undefined ? undefined : proc.btfAt(attr.progBtfFd);
  const funcInfo = attr.funcInfo ?? new Uint8Array();
  const lineInfo = attr.lineInfo ?? new Uint8Array();
  const { coreRelos, coreReloRecSize = 16 } = attr;
  if (btf && coreRelos?.length) {
    applyCoreRelos(insns, coreRelos, coreReloRecSize, btf.btf, kernel.platform.btf, name);
  }
  const fdAt = (idx: number): Fd | undefined => attr.fdArray?.[idx];
  const nowUs = kernel.nowUs;
  const input: VerifyInput = {
    name,
    insns,
    progType: attr.progType,
    expectedAttachType,
    license,
    progFlags: flags,
    platform: kernel.platform,
    caps,
    mapByFd: (fd) => proc.findMap(fd as Fd),
    mapByIdx: (idx) => {
      const fd = fdAt(idx);
      return fd === undefined ? undefined : proc.findMap(fd);
    },
    btfByIdx: (idx) => {
      const fd = fdAt(idx);
      return fd === undefined ? undefined : proc.findBtf(fd)?.btf;
    },
    btfByFd: (fd) => (fd === 0 ? kernel.platform.btf : proc.findBtf(fd as Fd)?.btf),
    btf: btf?.btf,
    funcInfo: funcRecords(funcInfo, attr.funcInfoRecSize ?? 8),
    lineInfo: lineRecords(lineInfo, attr.lineInfoRecSize ?? 16),
    attachBtfId,
    attachBtf,
    attachProg: attachProg && attachFacts(attachProg),
    logLevel,
    complexity: attr.complexity === true,
    nowUs,
    workspaces: kernel.workspaces,
  };
  const bound = boundFds(proc, attr, fail);
  const verified = verify(input);
  const maps = [...new Set([...(verified.usedMaps as readonly KMap[]), ...bound])];
  const facts: ProgFacts = {
    name,
    type: attr.progType,
    expectedAttachType,
    license,
    gplCompatible: GPL_LICENSES.has(license),
    flags,
    tag: progTag(insnBytes),
    insnBytes: insnBytes.slice(),
    btf,
    attachBtfId,
    attachBtf,
    attachProg,
    funcInfo,
    lineInfo,
    uid: proc.uid,
    token,
  };
  for (const { facts: of, name: mapName } of maps) {
    if (of.exclProgHash && toHex(of.exclProgHash) !== toHex(progDigest(insnBytes))) {
      fail(EACCES, `map '${mapName}' is for another program alone`, { map: mapName });
    }
  }
  for (const map of maps)
    if (map.type === abi.BPF_MAP_TYPE_PROG_ARRAY) claimProgArray(kernel, map.map, facts, verified);
  const streams = new ProgStreams();
  const image = imageOf(verified, { btf: btf?.btf, streams, progType: resolvedType(facts) }, kernel.imageSources);
  const prog = new Prog(kernel, facts, verified, image, [...maps], streams);
  kernel.events.emit({ what: "load", progId: prog.id });
  const log = cutLog(verified.log, attr.logSize, logLevel);
  return {
    fd: proc.installOwned(prog),
    log,
    logTrueSize: logLevel ? verified.log.length + 1 : 0,
    stats: verified.stats,
  };
}

function missingCap(type: number, caps: Process["caps"]): string | undefined {
  if (!caps.bpf && !UNPRIV_TYPES.has(type)) return "CAP_BPF";
  if (!caps.netAdmin && NET_ADMIN_TYPES.has(type)) return "CAP_NET_ADMIN";
  if (!caps.perfmon && PERFMON_TYPES.has(type)) return "CAP_PERFMON";
  return undefined;
}

/** The maps among the first fdArrayCnt fds: they are the program's, used or not (process_fd_array()). */
function boundFds(
  proc: Process,
  { fdArray = [], fdArrayCnt = 0 }: ProgLoadAttr,
  fail: (errno: Errno, text: string, context?: object) => never,
): KMap[] {
  if (fdArrayCnt >= MAX_FD_ARRAY) fail(EINVAL, `fd_array_cnt ${fdArrayCnt} is too big`, { fdArrayCnt });
  return fdArray.slice(0, fdArrayCnt).flatMap((fd) => {
    if (proc.findBtf(fd)) return [];
    return [proc.mapAt(fd)];
  });
}

/** UINT_MAX / sizeof(int). */
const MAX_FD_ARRAY = 0x3fffffff;

/** BTF in which attachBtfId counts. */
function attachTarget(proc: Process, attr: ProgLoadAttr, attachProg: Prog | undefined): Btf | undefined {
  if (attachProg) return attachProg.facts.btf?.btf;
  if (attr.attachBtfObjFd !== undefined) {
    const btf = proc.findBtf(attr.attachBtfObjFd);
    const what = `attach_btf_obj_fd ${attr.attachBtfObjFd} is no fd of`;
    if (!btf) throw new BpfError(EINVAL, `program '${attr.name ?? ""}': ${what} a program or BTF`, {});
    if (!btf.kernelBtf) throw new BpfError(ENOTSUPP, `program '${attr.name ?? ""}': ${what} the kernel's BTF`, {});
    return btf.btf;
  }
  return attr.attachBtfId ? proc.kernel.platform.btf : undefined;
}

/** bpf_prog_dev_bound_init(): programs of one device. None of the devices here runs programs itself. */
function checkDevice(
  proc: Process,
  attr: ProgLoadAttr,
  fail: (errno: Errno, text: string, context?: object) => never,
): void {
  const { progIfindex: ifindex = 0, progType, progFlags = 0 } = attr;
  if (ifindex === 0) return;
  if (progType !== abi.BPF_PROG_TYPE_XDP && progType !== abi.BPF_PROG_TYPE_SCHED_CLS) {
    fail(EINVAL, `programs of type ${progType} belong to no device`, { progType });
  }
  const bound = abi.BPF_F_XDP_DEV_BOUND_ONLY;
  if (progFlags & ~(bound | abi.BPF_F_XDP_HAS_FRAGS)) fail(EINVAL, `flags 0x${progFlags.toString(16)} with a device`);
  if (progType === abi.BPF_PROG_TYPE_SCHED_CLS && progFlags & bound)
    fail(EINVAL, "only XDP programs are bound to a device");
  if (!proc.kernel.deviceExists(ifindex)) fail(EINVAL, `no device has ifindex ${ifindex}`, { ifindex });
  if (!(progFlags & bound)) fail(EINVAL, `device ${ifindex} runs no programs itself`, { ifindex });
}

/** bpf_prog_load_check_attach(). */
function checkAttach(
  attr: ProgLoadAttr,
  expected: number,
  btfId: number,
  attachProg: Prog | undefined,
  fail: (errno: typeof EINVAL, text: string, context?: object) => never,
): void {
  const type = attr.progType;
  if (btfId) {
    if (btfId > BTF_MAX_TYPE) fail(EINVAL, `attach_btf_id ${btfId} is too large`, { btfId });
    if (!ATTACH_BTF_TYPES.has(type))
      fail(EINVAL, `attach_btf_id ${btfId} given to a program type that has no target`, { type });
  }
  if (attr.attachBtfObjFd !== undefined && (!btfId || attachProg))
    fail(EINVAL, "attach_btf_obj_fd without attach_btf_id");
  if (attachProg && type !== abi.BPF_PROG_TYPE_TRACING && type !== abi.BPF_PROG_TYPE_EXT) {
    fail(EINVAL, "attach_prog_fd given to a program type that attaches to no program", { type });
  }
  const allowed = ATTACH_TYPES[type];
  if (allowed && !allowed.includes(expected)) {
    fail(EINVAL, `expected_attach_type ${expected} does not fit program type ${type}`, { expected, allowed });
  }
}

/** A loaded program as the target of another. */
export function attachFacts(prog: Prog): AttachProg {
  const btf = prog.facts.btf?.btf;
  const records = funcRecords(prog.facts.funcInfo, 8);
  return {
    type: prog.type,
    expectedAttachType: prog.facts.expectedAttachType,
    btf,
    name: prog.name,
    funcs: prog.verified.subprogs.map((s, i) => ({
      typeId: records[i]?.typeId ?? 0,
      name: s.name,
      global: s.global,
      exceptionCb: s.isExceptionCb,
      changesPktData: s.changesPktData,
      mightSleep: s.mightSleep,
    })),
    sleepable: prog.verified.sleepable,
    attachedToTracing:
      prog.type === abi.BPF_PROG_TYPE_TRACING && prog.facts.attachProg?.type === abi.BPF_PROG_TYPE_TRACING,
  };
}

export function funcRecords(bytes: Uint8Array, recSize: number): FuncInfoRec[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out: FuncInfoRec[] = [];
  for (let at = 0; at + 8 <= bytes.length; at += recSize) {
    out.push({ insnIdx: view.getUint32(at, true), typeId: view.getUint32(at + 4, true) });
  }
  return out;
}

function lineRecords(bytes: Uint8Array, recSize: number): LineInfoRec[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out: LineInfoRec[] = [];
  for (let at = 0; at + 16 <= bytes.length; at += recSize) {
    const col = view.getUint32(at + 12, true);
    out.push({
      insnIdx: view.getUint32(at, true),
      fileNameOff: view.getUint32(at + 4, true),
      lineOff: view.getUint32(at + 8, true),
      line: col >>> 10,
      column: col & 0x3ff,
    });
  }
  return out;
}

/** The end of the log is kept, or with BPF_LOG_FIXED the start. */
function cutLog(log: string, size: number | undefined, level: number): string {
  if (!level) return "";
  if (size === undefined || log.length < size) return log;
  return level & 8 ? log.slice(0, size - 1) : log.slice(log.length - size + 1);
}
