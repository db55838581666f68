/** skep cgroup: programs attached to cgroups, with bpftool's words and JSON. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import * as abi from "../../src/abi/bpf.ts";
import { ATTACH_TYPE_NAMES } from "../../src/abi/enum_names.ts";
import { BpfError, EINVAL, ENOENT, EOPNOTSUPP } from "../../src/abi/errno.ts";
import { parseBtf } from "../../src/btf/btf.ts";
import type { Bpf, Fd, ProgAttachAttr } from "../../src/kernel/bpf.ts";
import { Process } from "../../src/kernel/process.ts";
import { cgroupRoot, LinuxBpf, openPath } from "../../src/node/linux/index.ts";
import { type Answer, type Call, DONE, objectCommand, type Verb } from "../bpftool/verbs.ts";
import { KINDS, selectOne, type Words } from "../bpftool/words.ts";
import { cgroupPath } from "../scenario/scene.ts";

const PROG = "{ id ID | pinned PATH | name NAME | tag TAG }";

const VERBS: Readonly<Record<string, Verb>> = {
  show: { usage: "CGROUP [effective]", run: show },
  tree: { usage: "[CGROUP_ROOT] [effective]", run: tree },
  attach: { usage: `CGROUP ATTACH_TYPE ${PROG} [multi|override]`, run: attach },
  detach: { usage: `CGROUP ATTACH_TYPE ${PROG}`, run: detach },
};

export const cgroup = objectCommand("cgroup", "show, attach and detach programs of cgroups", VERBS);

const BPF_F_QUERY_EFFECTIVE = 1;

/** Attach types of cgroups, in the order of the enum. */
const TYPES: readonly number[] = ATTACH_TYPE_NAMES.flatMap((name, type) => (/cgroup/.test(name) ? [type] : []));

/** Shorter names that bpftool takes too. */
const SHORT: Readonly<Record<string, string>> = {
  ingress: "cgroup_inet_ingress",
  egress: "cgroup_inet_egress",
  sock_create: "cgroup_inet_sock_create",
  sock_release: "cgroup_inet_sock_release",
  sock_ops: "cgroup_sock_ops",
  device: "cgroup_device",
  post_bind4: "cgroup_inet4_post_bind",
  post_bind6: "cgroup_inet6_post_bind",
  sysctl: "cgroup_sysctl",
  getsockopt: "cgroup_getsockopt",
  setsockopt: "cgroup_setsockopt",
};

function typeNamed(words: Words): number {
  const word = words.next("an attach type");
  // bind4, connect6, getpeername4, sendmsg6, ...
  const numbered = /^(bind|connect|getpeername|getsockname)([46])$/.exec(word);
  const messages = /^(sendmsg|recvmsg)([46])$/.exec(word);
  const long = numbered
    ? `cgroup_inet${numbered[2]}_${numbered[1]}`
    : messages
      ? `cgroup_udp${messages[2]}_${messages[1]}`
      : (SHORT[word] ?? word);
  const type = ATTACH_TYPE_NAMES.indexOf(long);
  if (!TYPES.includes(type)) throw words.error(`'${word}' seen, an attach type of cgroups wanted`);
  return type;
}

interface Row {
  readonly id: number;
  readonly attach_type: string;
  readonly attach_flags?: string;
  readonly name: string;
  readonly attach_btf_name?: string;
  readonly attach_btf_obj_id?: number;
  readonly attach_btf_id?: number;
}

function flagText(flags: number): string {
  if (flags === abi.BPF_F_ALLOW_MULTI) return "multi";
  if (flags === abi.BPF_F_ALLOW_OVERRIDE) return "override";
  return flags === 0 ? "" : `unknown(${flags.toString(16)})`;
}

/** Programs of one cgroup; `effective`: also those that it inherits. */
function rowsOf(bpf: Bpf, targetFd: Fd, effective: boolean): Row[] {
  return TYPES.flatMap((attachType) => {
    const found = query(bpf, attachType, targetFd, effective);
    return (found?.progs ?? []).map(({ id }): Row => {
      const fd = bpf.progGetFdById(id);
      const { name, attachBtfId, attachBtfObjId } = bpf.progInfo(fd);
      bpf.close(fd);
      const flags = effective ? {} : { attach_flags: flagText(found!.attachFlags) };
      return {
        id,
        attach_type: ATTACH_TYPE_NAMES[attachType]!,
        ...flags,
        name,
        ...lsmHook(bpf, attachBtfId, attachBtfObjId),
      };
    });
  });
}

/** What an LSM program of a cgroup hooks; bpftool has these members for all. */
function lsmHook(bpf: Bpf, id: number, objId: number) {
  const name = id === 0 ? "" : parseBtf(bpf.kernelBtf()).nameOf(id);
  return { attach_btf_name: name, attach_btf_obj_id: objId, attach_btf_id: id };
}

/** undefined: this kernel has no such attach type. */
function query(bpf: Bpf, attachType: number, targetFd: Fd, effective: boolean) {
  if (!bpf.progQuery) throw new BpfError(EOPNOTSUPP, "cgroup: this kernel cannot be asked what is attached");
  try {
    return bpf.progQuery({ attachType, targetFd, queryFlags: effective ? BPF_F_QUERY_EFFECTIVE : 0 });
  } catch (e) {
    if (e instanceof BpfError && e.errno === EINVAL) return undefined;
    throw e;
  }
}

function open(bpf: Bpf, path: string): Fd {
  if (bpf instanceof LinuxBpf) return openPath(bpf, path, true);
  const found = bpf instanceof Process ? bpf.kernel.cgroups.byPath(cgroupPath(path)) : undefined;
  if (!found) throw new BpfError(ENOENT, `there is no cgroup '${path}'`);
  return (bpf as Process).openCgroup(found);
}

/** Columns as bpftool's, with what stands before each line. */
function textOf(rows: readonly Row[], indent = ""): string {
  return rows
    .map((r) => {
      const cells = [
        `${r.id}`.padEnd(8),
        r.attach_type.padEnd(15),
        (r.attach_flags ?? "").padEnd(15),
        r.name.padEnd(15),
        r.attach_btf_name ?? "",
      ];
      if (r.attach_flags === undefined) cells.splice(2, 1);
      return `${indent}${cells.join(" ").trimEnd()}\n`;
    })
    .join("");
}

const HEAD = { id: "ID", attach_type: "AttachType", attach_flags: "AttachFlags", name: "Name" } as const;

function headLine(effective: boolean): string {
  const { attach_flags, ...rest } = HEAD;
  const row = effective ? rest : { ...rest, attach_flags };
  return textOf([row as unknown as Row]);
}

function show({ bpf, words }: Call): Answer {
  const path = words.next("a cgroup");
  const effective = words.take("effective");
  words.end();
  const fd = open(bpf, path);
  const rows = rowsOf(bpf, fd, effective);
  bpf.close(fd);
  return { json: rows, text: headLine(effective) + textOf(rows) };
}

function tree({ bpf, words }: Call): Answer {
  const word = words.peek();
  const root = word === undefined || "effective".startsWith(word) ? undefined : words.next("a cgroup");
  const effective = words.take("effective");
  words.end();
  const found = pathsBelow(bpf, root)
    .map((path) => {
      const fd = open(bpf, path);
      const programs = rowsOf(bpf, fd, effective);
      bpf.close(fd);
      return { cgroup: path, programs };
    })
    .filter(({ programs }) => programs.length > 0);
  const text = found.map(({ cgroup: path, programs }) => `${path}\n${textOf(programs, "    ")}`);
  return { json: found, text: `CgroupPath\n${headLine(effective)}${text.join("")}` };
}

const SIMULATED_ROOT = "/sys/fs/cgroup";

/** A cgroup and those in it, parents first. */
function pathsBelow(bpf: Bpf, root: string | undefined): string[] {
  if (bpf instanceof Process) {
    const top = bpf.kernel.cgroups.byPath(cgroupPath(root ?? SIMULATED_ROOT));
    if (!top) throw new BpfError(ENOENT, `there is no cgroup '${root}'`);
    return [...top.descendants()].map((c) => (c.path === "/" ? SIMULATED_ROOT : `${SIMULATED_ROOT}${c.path}`));
  }
  const walk = (path: string): string[] => [
    path,
    ...readdirSync(path, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? walk(join(path, e.name)) : [])),
  ];
  return walk(root ?? cgroupRoot());
}

/** CGROUP ATTACH_TYPE PROG: what both verbs begin with. Called with fds that are closed afterwards. */
function change({ bpf, words }: Call, run: (attr: ProgAttachAttr) => void): Answer {
  const targetFd = open(bpf, words.next("a cgroup"));
  const attachType = typeNamed(words);
  const progFd = selectOne(bpf, KINDS.prog, words);
  try {
    run({ targetFd, attachType, progFd });
  } finally {
    bpf.close(progFd);
    bpf.close(targetFd);
  }
  return DONE;
}

const ATTACH_FLAGS = { multi: abi.BPF_F_ALLOW_MULTI, override: abi.BPF_F_ALLOW_OVERRIDE } as const;

function attach(call: Call): Answer {
  const { bpf, words } = call;
  return change(call, (attr) => {
    const flags = words.rest > 0 ? ATTACH_FLAGS[words.choose(["multi", "override"])] : 0;
    words.end();
    need(bpf.progAttach).call(bpf, { ...attr, flags });
  });
}

function detach(call: Call): Answer {
  const { bpf, words } = call;
  return change(call, (attr) => {
    words.end();
    need(bpf.progDetach).call(bpf, attr);
  });
}

function need<T>(command: T | undefined): T {
  if (!command) throw new BpfError(EOPNOTSUPP, "cgroup: this kernel attaches by links only");
  return command;
}
