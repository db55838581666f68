/** Errors of helper calls: which may be called where, and with what. */
import type { Entry } from "./entry.ts";

export const CALLS: readonly Entry[] = [
  {
    code: "helper-unavailable",
    title: "Helper that this program type does not have",
    messages: [
      "program of this type cannot use helper {helper}",
      "invalid func {helper}",
      "func {helper} not supported for program type {type}",
      "func {helper} supported only for fentry/fexit/fmod_ret programs",
      "helper call is not allowed in probe",
    ],
    value: "none",
    rule: "Each program type has a list of helpers that make sense in its place; some depend on the attach type or on capabilities.",
    suggest: (f) => {
      const h = f.m.helper?.replace(/#.*/, "") ?? "";
      const special: Readonly<Record<string, string>> = {
        bpf_get_retval: "It exists for cgroup programs on hooks with a return value.",
        bpf_ktime_get_coarse_ns: "Use bpf_ktime_get_ns() here.",
        bpf_trace_printk: "Use bpf_ringbuf_output() to report from here.",
        bpf_probe_read: "Use bpf_probe_read_kernel() or bpf_probe_read_user().",
      };
      return `${h || "The helper"} cannot be called from this kind of program. ${special[h] ?? "Move the call to a program type that has it, or use a kfunc or another helper with the same effect."}`;
    },
    bad: `SEC("xdp") int f(struct xdp_md *ctx)
{
    bpf_get_current_comm(buf, sizeof(buf));  /* no task in XDP */
    return XDP_PASS;
}`,
    good: `SEC("tp/sched/sched_switch") int f(void *ctx)
{
    bpf_get_current_comm(buf, sizeof(buf));
    return 0;
}`,
  },
  {
    code: "gpl-only",
    title: "Function for GPL programs only",
    messages: [
      "cannot call GPL-restricted function from non-GPL compatible program",
      "cannot call kernel function from non-GPL compatible program",
      "LSM programs must have a GPL compatible license",
      "struct ops programs must have a GPL compatible license",
    ],
    rule: "Some helpers, all kfuncs, LSM and struct_ops programs require a GPL-compatible license string.",
    suggest:
      'Declare `char LICENSE[] SEC("license") = "GPL";` (or "Dual MIT/GPL", "Dual BSD/GPL") if that is the license of the program.',
    value: "none",
    bad: 'char LICENSE[] SEC("license") = "Apache-2.0";',
    good: 'char LICENSE[] SEC("license") = "Dual MIT/GPL";',
  },
  {
    code: "arg-type",
    title: "Argument of the wrong kind",
    messages: [
      "R{reg} type={type} expected={expected}",
      "R{reg} is of type {have} but {want} is expected",
      "invalid arg_type for sockmap/sockhash",
      "Helper has invalid btf_id in R{reg}",
      "Unsupported reg type {type} for bpf_dynptr_from_mem data",
      "more than one arg with ref_obj_id R{reg} {a} {b}",
    ],
    rule: "Each argument of a helper has a kind: pointer to initialised memory, to a map, to the context, a socket, a number, ... and nothing else may stand there.",
    suggest: (f) => {
      const call = f.callee ? `${f.callee}()` : "The call";
      if (f.m.type?.includes("_or_null") && f.m.expected?.includes(f.m.type.replace("_or_null", ""))) {
        return `${f.reg} may still be NULL: test it before the call (\`if (!ptr) return 0;\`).`;
      }
      if (f.m.type === "scalar") {
        return `${call} wants a pointer in ${f.reg}, but it holds a number. Perhaps the value itself was passed instead of its address (&key), or a kernel address read by bpf_probe_read lost its type, or a call wiped the register.`;
      }
      if (f.m.type === "fp" && f.m.expected === "ctx")
        return `${call} wants the program's context as argument ${f.m.reg}.`;
      return f.m.want
        ? `${call} wants a pointer to struct ${f.m.want}, but gets one to struct ${f.m.have}.`
        : `${call} wants one of these in ${f.reg}: ${f.m.expected}. It has ${f.state || f.m.type}.`;
    },
    bad: `__u32 key = 0;
bpf_map_lookup_elem(&m, (void *)(long)key);`,
    good: `__u32 key = 0;
bpf_map_lookup_elem(&m, &key);`,
  },
  {
    code: "null-arg",
    title: "Pointer that may be NULL passed to a call that takes none",
    messages: [
      "Possibly NULL pointer passed to helper arg{reg}",
      "Possibly NULL pointer passed to trusted arg{arg}",
      "arg#{arg} is expected to be non-NULL",
    ],
    rule: "The function does not check for NULL, so the program must.",
    suggest: (f) => `Test the pointer before the call${f.callee ? ` of ${f.callee}()` : ""}: \`if (!ptr) return 0;\`.`,
    bad: `struct task_struct *t = bpf_task_from_pid(pid);
bpf_task_release(t);`,
    good: `struct task_struct *t = bpf_task_from_pid(pid);
if (!t)
    return 0;
bpf_task_release(t);`,
  },
  {
    code: "map-helper",
    title: "Map of a type that the helper does not work on",
    messages: [
      "cannot pass map_type {type} into func bpf_{func}#{id}",
      "expected prog array map for tail call",
      "tail_call abusing map_ptr",
      "invalid map_ptr to access map->type",
      "invalid map_ptr to access map->key",
      "invalid map_ptr to access map->value",
      "callback function not allowed for map",
      "cannot update sockmap in this context",
      "timer pointer in R1 map_uid={a} doesn't match map pointer in R2 map_uid={b}",
      "{what} pointer in R{r} map_uid={a} doesn't match map pointer in R{s} map_uid={b}",
      "pointer in R{reg} isn't map pointer",
      "get_local_storage() doesn't support non-zero flags",
    ],
    rule: "Each map type has its own operations: a ring buffer cannot be looked up, a prog array serves tail calls only, and so on.",
    suggest: (f) =>
      `${f.m.func ? `bpf_${f.m.func}()` : "The call"} does not fit ${f.map ? `map '${f.map.name}'` : "this map"}. Use the helpers of its type (bpf_ringbuf_*, bpf_perf_event_output, bpf_tail_call, bpf_redirect_map, bpf_*_storage_get), or another map type. A timer or work item must lie in a value of the very map passed with it.`,
    bad: "bpf_map_lookup_elem(&ringbuf, &key);",
    good: "void *rec = bpf_ringbuf_reserve(&ringbuf, 16, 0);",
  },
  {
    code: "sleepable",
    title: "Call that may sleep where sleeping is forbidden",
    messages: [
      "helper call might sleep in a non-sleepable prog",
      "program must be sleepable to call sleepable kfunc {name}",
      "sleepable helper {helper} in {where} region",
      "kernel func {name} is sleepable within {where} region",
      "global functions that may sleep are not allowed in non-sleepable context,",
      "Sleepable programs can only use array, hash, ringbuf and local storage maps",
      "Syscall programs can only be sleepable",
      "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops programs can be sleepable",
      "{name} is not sleepable",
      "css_task_iter is only allowed in bpf_lsm, bpf_iter and sleepable progs",
    ],
    since: ({ where = "" }) =>
      /rcu/.test(where)
        ? ["bpf_rcu_read_lock"]
        : /preempt/.test(where)
          ? ["bpf_preempt_disable"]
          : /IRQ/.test(where)
            ? ["bpf_local_irq_save"]
            : [],
    rule: "A function that may sleep needs a sleepable program, and must be outside RCU read sections and regions with preemption or interrupts disabled.",
    suggest: (f) =>
      f.m.where
        ? `Leave the region (${f.m.where}) before the call, or use a call that does not sleep.`
        : "Mark the program sleepable with `.s` in its section (fentry.s, lsm.s, uprobe.s, iter.s, struct_ops.s) if its hook allows that, or use a call that does not sleep (bpf_probe_read_user() instead of bpf_copy_from_user()).",
    value: "none",
    bad: `SEC("fentry/do_nanosleep") int f(void *ctx)
{
    bpf_copy_from_user(buf, sizeof(buf), uptr);
    return 0;
}`,
    good: `SEC("fentry.s/__x64_sys_nanosleep") int f(void *ctx)
{
    bpf_copy_from_user(buf, sizeof(buf), uptr);
    return 0;
}`,
  },
  {
    code: "packet-helper",
    title: "Packet memory passed to a helper that takes none",
    messages: ["helper access to the packet is not allowed"],
    value: "packet",
    rule: "Only certain helpers of certain program types may read packet memory directly.",
    suggest: "Copy the bytes to the stack first (a checked load, or bpf_skb_load_bytes()) and pass that copy.",
    bad: "bpf_probe_read_kernel(buf, 4, data);",
    good: `if (data + 4 > data_end) return 0;
__builtin_memcpy(buf, data, 4);`,
  },
  {
    code: "format-string",
    title: "Format string or constant string that cannot be read",
    messages: [
      "Invalid format string",
      "R{reg} does not point to a readonly map'",
      "string is not zero-terminated",
      "direct value access on string failed",
      "arg#{arg} doesn't point to a const string",
      "no direct value access support for this map type",
    ],
    rule: "Formats and constant strings are checked at load time, so they must stand, zero-terminated, in read-only data.",
    suggest:
      'Use a string literal with `static const char fmt[] = "..."`, with conversions that match the arguments (%d %u %x %s %p..., at most 3 for bpf_trace_printk and 12 for the others).',
    bad: 'char fmt[] = "%n";',
    good: 'static const char fmt[] = "%d";',
  },
  {
    code: "global-func-args",
    title: "Call of a global function with arguments that it does not accept",
    messages: [
      "Caller passes invalid args into func#{n} ('{func}')",
      "R{reg} is not a scalar",
      "arg#{arg} expects pointer to ctx",
      "R{reg} is not a pointer to arena or scalar.",
    ],
    rule: "A global function is verified once, alone, with arguments known only by their declared types, so each call must fit the declaration.",
    suggest: (f) =>
      `Pass what the prototype${f.m.func ? ` of ${f.m.func}()` : ""} declares: a number for integers, a whole initialised object for pointers (__arg_nonnull: tested for NULL), the context itself for ctx. Or make the function static: then it is verified with the caller's values.`,
    bad: `__noinline int g(struct S *s) { ... }
g((struct S *)ctx);`,
    good: "static __noinline int g(struct S *s) { ... }",
  },
  {
    code: "global-func-proto",
    title: "Global function with a prototype that cannot be verified alone",
    messages: [
      "Global function {func}() with {n} > {max} args. Buggy compiler.",
      "Global function {func}() doesn't return scalar. Only those are supported.",
      "Global functions need valid BTF",
      "BTF of func#{n} doesn't point to KIND_FUNC",
      "Invalid type of function {func}()",
      "arg#{arg} type tag is not supported in static functions",
      "arg#{arg} has unsupported set of tags",
      "arg#{arg} has invalid combination of tags",
      "arg#{arg} untrusted cannot be combined with any other tags",
      "arg#{arg} arena cannot be combined with any other tags",
      "arg#{arg} reference type('{type}') size cannot be determined: {err}",
      "arg#{arg} has pointer tag, but is not a pointer type",
      "arg#{arg} type doesn't have a name",
      "arg#{arg} should be {want}",
      "Arg#{arg} type {type} in {func}() is not supported yet.",
      "exception cb only supports single integer argument",
    ],
    rule: "Global functions take integers, the context, and pointers to types of known size, and return an integer.",
    suggest:
      "Make the function static, or give it such a prototype; void * and pointers to incomplete types cannot be checked.",
    value: "none",
    bad: "__noinline int g(void *p) { return *(int *)p; }",
    good: "__noinline int g(int *p) { return p ? *p : 0; }",
  },
];
