/** Errors of contexts and of pointers to kernel structures. */
import type { Entry, Facts } from "./entry.ts";

/** Which accesses of that context field would be allowed. */
function ctxAdvice(f: Facts): string {
  const at = f.ctxField(Number(f.m.off));
  if (!at || !f.m.off) return "Read the field whole, at its own offset, and look up whether it may be written.";
  const what = at.field ? `ctx->${at.field}` : `offset ${f.m.off} of ${at.struct}`;
  if (at.read?.length === 0 && at.write?.length === 0) {
    return `${what} is no field that this program type with this attach type may read or write; others may. Look at ${at.struct}.`;
  }
  const may = (verb: string, sizes: readonly number[] | undefined) =>
    sizes === undefined
      ? ""
      : sizes.length === 0
        ? `may not be ${verb}`
        : `may be ${verb} at ${sizes.join(", ")} bytes`;
  const both = [may("read", at.read), may("written", at.write)].filter((x) => x !== "").join(", ");
  return `Here ${what} ${both || "is accessed in another way than its type says"}. ${f.isLoad ? "Use one of these widths." : "Keep what you want to remember in a map or a local variable."}`;
}

export const CTX: readonly Entry[] = [
  {
    code: "ctx-access",
    title: "Context field that this program may not access so",
    messages: [
      "invalid bpf_context access off={off} size={size}",
      "func '{func}' offset {off} is not multiple of 8",
      "func '{func}' doesn't have {n}-th argument",
      "func '{func}' size {size} must be 8",
      "func '{func}' arg{arg} '{what}' has type {type}. Only pointer access is allowed",
      "func '{func}' arg{arg} {what}. Only pointer access is allowed",
      "func '{func}' arg{arg} type {type} is not a struct",
      "func '{func}' arg{arg} has btf_id {id} type {kind} '{type}'",
      "ret type {type} not allowed for fmod_ret",
      "only access to bpf_dummy_ops_state is supported",
      "write access at off {off} with size {size}",
    ],
    rule: "Each program type has its own context, and of it certain fields at certain widths may be read, and fewer written; some depend on the attach type.",
    suggest: (f) =>
      f.m.func
        ? `Look at the prototype of ${f.m.func}: its arguments are 8 bytes each, numbered from 0, and BPF_PROG() declares them by name.`
        : ctxAdvice(f),
    bad: `SEC("xdp") int f(struct xdp_md *ctx)
{
    ctx->ingress_ifindex = 1;
    return XDP_PASS;
}`,
    good: `SEC("xdp") int f(struct xdp_md *ctx)
{
    __u32 ifindex = ctx->ingress_ifindex;
    return ifindex == 1 ? XDP_DROP : XDP_PASS;
}`,
  },
  {
    code: "modified-pointer",
    title: "Pointer used with an offset it must not have",
    messages: [
      "negative offset {ptr} ptr R{reg} off={off} disallowed",
      "dereference of modified {ptr} ptr R{reg} off={off} disallowed",
      "variable {ptr} access var_off={var} disallowed",
      "R{reg} must have zero offset when passed to release func or trusted arg to kfunc",
      "R{reg} is {name} invalid negative access: off={off}",
    ],
    rule: "Accesses through this kind of pointer are rewritten or matched by offset, so the pointer itself must be the original one and the offset a constant in the instruction.",
    suggest: (f) =>
      `Use the ${f.m.ptr || ""} pointer as you got it, with constant field offsets; do not add to ${f.reg} (${f.state}).${f.m.ptr === "ctx" ? " If the compiler does it (ctx + offset shared by several accesses), read the fields through a `volatile` pointer or with preserve_static_offset." : ""}`.replace(
        "the  ",
        "the ",
      ),
    lang: "asm",
    bad: `r1 += 4
r0 = *(u32 *)(r1 + 0)`,
    good: "r0 = *(u32 *)(r1 + 4)",
  },
  {
    code: "btf-access",
    title: "Access to a kernel structure that its BTF does not allow",
    messages: [
      "access beyond struct {struct} at off {off} size {size}",
      "access beyond the end of member {field} (mend:{end}) in struct {struct} with off {off} size {size}",
      "cannot access ptr member {field} with moff {moff} in struct {struct} with off {off} size {size}",
      "struct {struct} doesn't have field at offset {off}",
      "Type '{type}' is not a struct",
      "field {field} doesn't have size",
      "R{reg} is ptr_{struct} invalid negative access: off={off}",
      "R{reg} is ptr_{struct} invalid variable offset: off={off}, var_off={var}",
      "R{reg} is ptr_{struct} access user memory: off={off}",
      "R{reg} is ptr_{struct} access percpu memory: off={off}",
    ],
    rule: "Through a typed kernel pointer whole members are read, at the offsets that the kernel's BTF gives them.",
    suggest: (f) => {
      const s = f.m.struct ? `struct ${f.m.struct}` : "the structure";
      return `Read a whole member of ${s} at a constant offset (${f.m.off ? `offset ${f.m.off} is none` : "this offset is none"}). Use vmlinux.h with preserve_access_index so that offsets fit the running kernel; for arrays with a variable index or for user and per-CPU memory use bpf_probe_read_kernel(), bpf_probe_read_user() or bpf_per_cpu_ptr().`;
    },
    bad: "__u64 pid = *(__u64 *)&task->pid;   /* pid has 4 bytes, tgid follows */",
    good: "__u32 pid = task->pid;",
  },
  {
    code: "kernel-object-write",
    title: "Write to a kernel structure",
    messages: [
      "only read is supported",
      "only read from {name} is supported",
      "no write support to {name} at off {off}",
      "write access at off {off} with size {size} beyond the member of {name} ended at {end}",
    ],
    rule: "Kernel structures are read-only for programs, but for a few fields that a program type may set.",
    suggest:
      "Change kernel state through a helper or kfunc made for it; struct_ops programs may write the documented members only.",
    bad: "task->pid = 1;",
    good: "__u32 pid = task->pid;",
  },
  {
    code: "kernel-object-capability",
    title: "Kernel structures need capabilities or a GPL license",
    messages: [
      "'struct {struct}' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN",
      "Cannot access kernel 'struct {struct}' from non-GPL compatible program",
      "map_ptr access not supported without CONFIG_DEBUG_INFO_BTF",
      "map_ptr access not supported for map type {type}",
    ],
    rule: "Reading kernel objects directly is tracing: it needs CAP_PERFMON and a GPL-compatible program.",
    suggest: 'Load with CAP_PERFMON, and declare `char LICENSE[] SEC("license") = "GPL";`.',
    bad: 'char LICENSE[] SEC("license") = "Proprietary";',
    good: 'char LICENSE[] SEC("license") = "GPL";',
  },
  {
    code: "ld-abs",
    title: "Legacy packet load where it has no meaning",
    messages: [
      "BPF_LD_[ABS|IND] instructions not allowed for this program type",
      "at the time of BPF_LD_ABS|IND R6 != pointer to skb",
      "LD_ABS is only allowed in functions that return 'int'.",
      "LD_ABS is not allowed in subprogs without BTF",
      "cannot use BPF_LD_[ABS|IND] within callback",
    ],
    rule: "These loads take the packet from the skb in r6 and end the function when the packet is too short, so they need an skb program and a function that returns int.",
    suggest: "Use bpf_skb_load_bytes() or direct packet access instead of load_byte(), load_half() and load_word().",
    bad: "int n = load_byte(skb, 14);        /* in an XDP program */",
    good: `if (data + 15 > data_end)
    return XDP_PASS;
__u8 n = *(__u8 *)(data + 14);`,
  },
];
