import { describe, expect, it } from "vitest";
import { builtinBtf } from "../../src/btf/builtin/index.ts";
import { checkBtf } from "../../src/btf/check.ts";
import { dumpC } from "../../src/btf/dump_c.ts";
import * as K from "../../src/btf/kinds.ts";

describe("the built-in kernel BTF", () => {
  const btf = builtinBtf();

  it("is one that Linux would take", () => {
    expect(() => checkBtf(btf)).not.toThrow();
    expect(dumpC(btf)).toContain("struct task_struct {");
  });

  // Sizes of uapi structures and packet headers are fixed.
  it.each([
    ["xdp_md", 24],
    ["__sk_buff", 192],
    ["bpf_sock", 80],
    ["bpf_sock_tuple", 36],
    ["bpf_sock_ops", 224],
    ["bpf_fib_lookup", 64],
    ["bpf_dynptr", 16],
    ["bpf_spin_lock", 4],
    ["bpf_timer", 16],
    ["bpf_iter_num", 8],
    ["bpf_list_node", 24],
    ["pt_regs", 168],
    ["ethhdr", 14],
    ["iphdr", 20],
    ["ipv6hdr", 40],
    ["tcphdr", 20],
    ["udphdr", 8],
    ["in6_addr", 16],
    ["xdp_buff", 56],
  ])("struct %s has %i bytes", (name, size) => {
    const id = btf.byName(name, K.BTF_KIND_STRUCT) || btf.byName(name, K.BTF_KIND_UNION);
    expect(btf.size(id)).toBe(size);
  });

  it.each([
    ["task_struct", "pid"],
    ["task_struct", "comm[15]"],
    ["task_struct", "cred"],
    ["task_struct", "thread_info.flags"],
    ["sk_buff", "len"],
    ["sk_buff", "data"],
    ["net_device", "ifindex"],
    ["net_device", "name"],
    ["sock", "__sk_common.skc_daddr"],
    ["sock", "__sk_common.skc_net.net"],
    ["nf_conn", "mark"],
    ["cgroup", "kn"],
    ["file", "f_path.dentry"],
    ["inode", "i_ino"],
    ["cred", "uid.val"],
    ["nsproxy", "pid_ns_for_children"],
    ["bpf_map", "max_entries"],
    ["bpf_prog", "aux"],
    ["seq_file", "count"],
  ])("struct %s has %s", (name, path) => {
    expect(btf.findMember(btf.byName(name, K.BTF_KIND_STRUCT), path)).toBeDefined();
  });

  it("kfuncs and per-CPU variables", () => {
    const func = btf.byName("bpf_rdonly_cast", K.BTF_KIND_FUNC);
    expect(btf.declTags(func)).toContain("bpf_kfunc");
    const proto = btf.type(btf.ref(func));
    expect(proto).toMatchObject({ params: [{ name: "obj__ign" }, { name: "btf_id__k" }] });
    const section = btf.type(btf.byName(".data..percpu", K.BTF_KIND_DATASEC)) as K.BtfDatasec;
    expect(section.vars.map((v) => btf.nameOf(v.type))).toEqual(["bpf_prog_active", "runqueues"]);
  });

  it("takes further declarations", () => {
    const more = builtinBtf(["struct mine { struct task_struct *task; }; __bpf_kfunc int bpf_mine(struct mine *m);"]);
    expect(more.declTags(more.byName("bpf_mine"))).toEqual(["bpf_kfunc"]);
    expect(() => builtinBtf(["nonsense;"])).toThrow("declarations 0:1: unknown type 'nonsense'");
  });
});
