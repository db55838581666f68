/** struct bpf_map, bpf_prog, bpf_link, cgroup and file of the kernel's objects, as iterators show them. */
import { fromHex } from "../../bytes/hex.ts";
import type { VAddr } from "../../memory/memory.ts";
import type { Cgroup } from "../cgroup/cgroup.ts";
import type { Link } from "../link.ts";
import type { KMap } from "../map.ts";
import type { KObject } from "../objects.ts";
import type { Prog } from "../prog.ts";
import type { StructScope } from "./scope.ts";

const INSN_BYTES = 8;

export function mapStruct(scope: StructScope, map: KMap): VAddr {
  return scope.of(map, "bpf_map", () => ({
    map_type: map.type,
    key_size: map.keySize,
    value_size: map.valueSize,
    max_entries: map.maxEntries,
    map_extra: map.mapExtra,
    map_flags: map.mapFlags,
    id: map.id,
    numa_node: -1,
    btf_key_type_id: map.btfKeyTypeId,
    btf_value_type_id: map.btfValueTypeId,
    btf_vmlinux_value_type_id: map.btfVmlinuxValueTypeId,
    name: map.name,
    "refcnt.counter": map.refs,
    "usercnt.counter": map.userRefs,
    frozen: map.frozen ? 1 : 0,
  }));
}

export function progStruct(scope: StructScope, prog: Prog): VAddr {
  return scope.of(prog, "bpf_prog", (addr) => {
    const { facts } = prog;
    const aux = scope.alloc("bpf_prog_aux", {
      "refcnt.counter": prog.refs,
      used_map_cnt: prog.maps.length,
      max_ctx_offset: prog.verified.maxCtxOffset,
      id: prog.id,
      func_cnt: prog.verified.subprogs.length,
      attach_btf_id: facts.attachBtfId,
      name: facts.name,
      load_time: prog.loadTimeNs,
      verified_insns: prog.verified.stats.insnsProcessed,
      sleepable: prog.verified.sleepable ? 1 : 0,
      ...(facts.attachBtf && facts.attachBtfId
        ? { attach_func_name: scope.text(facts.attachBtf.nameOf(facts.attachBtfId)) }
        : {}),
      ...(facts.attachProg ? { dst_prog: progStruct(scope, facts.attachProg) } : {}),
    });
    const { structs, memory } = scope.kernel;
    const tag = structs.offset("bpf_prog", "tag");
    if (tag !== undefined) memory.writeBytes(addr + tag, fromHex(facts.tag));
    return {
      type: facts.type,
      expected_attach_type: facts.expectedAttachType,
      len: facts.insnBytes.length / INSN_BYTES,
      jited: 1,
      gpl_compatible: facts.gplCompatible ? 1 : 0,
      sleepable: prog.verified.sleepable ? 1 : 0,
      aux,
    };
  });
}

export function linkStruct(scope: StructScope, link: Link): VAddr {
  return scope.of(link, "bpf_link", () => ({
    "refcnt.counter": link.refs,
    id: link.id,
    type: link.type.type,
    prog: link.prog ? progStruct(scope, link.prog) : 0,
    attach_type: link.attachType,
  }));
}

/** With its ancestors, up to the root. */
export function cgroupStruct(scope: StructScope, cgroup: Cgroup): VAddr {
  const ancestors = [...cgroup.ancestors()];
  const level = ancestors.length - 1;
  const make = (addr: VAddr) => {
    const { structs, memory } = scope.kernel;
    const kn = scope.alloc("kernfs_node", { id: cgroup.cgroupId, name: scope.text(cgroup.name || "/") });
    // `self` is the first member, so a parent's css is at the address of the parent.
    const parent = cgroup.parent ? cgroupStruct(scope, cgroup.parent) : 0;
    const list = structs.offset("cgroup", "ancestors");
    if (list !== undefined) {
      ancestors.forEach((above, i) => {
        const at = above === cgroup ? addr : cgroupStruct(scope, above);
        memory.writeU64(addr + list + 8 * (level - i), BigInt(at));
      });
    }
    return {
      kn,
      level,
      nr_descendants: [...cgroup.descendants()].length - 1,
      "self.cgroup": addr,
      "self.parent": parent,
      dom_cgrp: addr,
    };
  };
  return scope.of(cgroup, "cgroup", make, 8 * (level + 1));
}

/** Names of the anonymous files that fds of bpf objects stand for. */
const FILE_NAMES: Readonly<Record<string, string>> = {
  map: "bpf-map",
  prog: "bpf-prog",
  link: "bpf_link",
  btf: "btf",
  iter: "bpf_iter",
  perf_event: "[perf_event]",
  token: "bpf-token",
};

export function fileStruct(scope: StructScope, obj: KObject): VAddr {
  return scope.of({ file: obj }, "file", () => {
    const dentry = scope.alloc("dentry", { "d_name.name": scope.text(FILE_NAMES[obj.kind] ?? obj.kind) });
    return { "f_path.dentry": dentry, f_inode: scope.alloc("inode", { i_ino: obj.id }), "f_ref.refcnt.counter": 0 };
  });
}
