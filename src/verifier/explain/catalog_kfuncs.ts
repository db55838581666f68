/** Errors of kfunc calls. */
import type { Entry } from "./entry.ts";

export const KFUNCS: readonly Entry[] = [
  {
    code: "kfunc-unavailable",
    title: "Kernel function that this program may not call",
    messages: [
      "calling kernel function {func} is not allowed",
      "calling kernel function is not supported without CONFIG_DEBUG_INFO_BTF",
      "invalid kernel function call not eliminated in verifier pass",
      "kfunc '{func}' is referenced but wasn't resolved",
      "kernel btf_id {id} is not a function",
      "kernel function btf_id {id} does not have a valid func_proto",
      "kfunc offset > 0 without fd_array is invalid",
      "metadata kfuncs require device-bound program",
      "too many different kernel function calls",
      "destructive kfunc calls require CAP_SYS_BOOT capability",
      "{func} not allowed in rbtree cb",
      "unexpected __bpf_trap() due to uninitialized variable?",
    ],
    rule: "A kfunc is registered for certain program types, and exists only in kernels that were built with it.",
    suggest: (f) => {
      if (/__bpf_trap/.test(f.text))
        return "The compiler found that a variable is used without a value and emitted a trap: initialise it.";
      return `${f.m.func || "The function"} is not open to this program type on this kernel. Declare it \`__ksym __weak\` and test \`bpf_ksym_exists()\` before calling, or use a helper with the same effect.`;
    },
    value: "none",
    bad: `SEC("xdp") int f(struct xdp_md *ctx) { bpf_task_from_pid(1); ... }`,
    good: `SEC("tp_btf/task_newtask") int f(void *ctx) { bpf_task_from_pid(1); ... }`,
  },
  {
    code: "kfunc-arg-type",
    title: "Argument that does not fit the kernel function",
    messages: [
      "kernel function {func} args#{arg} expected pointer to {want} but R{reg} has a pointer to {have}",
      "kernel function {func} args#{arg} pointer type {type} is not supported",
      "arg#{arg} pointer type {type} must point to {want}",
      "arg#{arg} is {type} expected {want} or socket",
      "arg#{arg} expected pointer to ctx, but got {type}",
      "arg#{arg} expected pointer to map value or allocated object",
      "arg#{arg} expected pointer to allocated object",
      "arg#{arg} expected for {func}()",
      "arg#{arg} doesn't point to a map value",
      "arg#{arg} doesn't point to map value or allocated object",
      "arg#{arg} doesn't point to a type with bpf_refcount field",
      "Unrecognized arg#{arg} type {type}",
      "Function {func} has {n} > 5 args",
      "2 or more rdonly/rdwr_buf_size parameters for kfunc",
      "kernel function {func} returns pointer type {type} is not supported",
      "acquire kernel function does not return PTR_TO_BTF_ID",
      "unable to resolve the size of type '{type}': {err}",
      "invalid return type {n} of func {func}",
      "kfunc {func} conversion of owning ref to non-owning failed",
    ],
    rule: "Arguments of kfuncs are checked against their C prototype by the kernel's BTF: the struct must be the declared one, memory must be of plain numbers.",
    suggest: (f) =>
      f.m.want && f.m.have
        ? `${f.m.func}() wants a pointer to ${f.m.want}; ${f.reg} points to ${f.m.have}. A type and its ___init variant differ on purpose: an object in the making must be finished (inserted, confirmed) first.`
        : `Pass what the prototype of ${f.callee || "the function"} declares; ${f.reg} is ${f.state || f.m.type || "something else"}.`,
    bad: "bpf_task_release((struct task_struct *)cgrp);",
    good: "bpf_cgroup_release(cgrp);",
  },
  {
    code: "kfunc-trusted",
    title: "Pointer that the kernel function cannot trust",
    messages: ["R{reg} must be referenced or trusted"],
    rule: "Many kfuncs take only trusted pointers: arguments of the traced function, or what an acquiring call returned. A pointer read out of another structure may be stale or NULL.",
    suggest: (f) =>
      `Acquire the object first (bpf_task_acquire(), bpf_cgroup_acquire(), bpf_task_from_pid(), ...) and test for NULL; ${f.reg} is ${f.state}.`,
    bad: "bpf_task_acquire(task->real_parent->group_leader);",
    good: `struct task_struct *p = bpf_task_from_pid(pid);
if (p) bpf_task_release(p);`,
  },
  {
    code: "kfunc-mem-len",
    title: "Memory and length that do not belong together",
    messages: ["arg#{arg} arg#{len} memory, len pair leads to invalid memory access"],
    rule: "A length argument must never exceed the memory passed before it.",
    suggest: "Pass the size of the very buffer, as a constant or with an upper bound: sizeof(buf).",
    bad: "bpf_dynptr_slice(&ptr, 0, small, 64);",
    good: "bpf_dynptr_slice(&ptr, 0, buf, sizeof(buf));",
  },
  {
    code: "obj-new",
    title: "Allocation of an object that is not possible",
    messages: [
      "local type ID argument must be in range [0, U32_MAX]",
      "bpf_obj_new/bpf_percpu_obj_new requires prog BTF",
      "bpf_obj_new/bpf_percpu_obj_new type ID argument must be of a struct",
      "bpf_percpu_obj_new type size ({size}) is greater than {max}",
      "bpf_percpu_obj_new type ID argument must be of a struct of scalars",
      "bpf_percpu_obj_new type ID argument must not contain special fields",
      "Unknown type ID {id} passed to kfunc bpf_rdonly_cast",
      "kfunc bpf_rdonly_cast type ID argument must be of a struct or void",
    ],
    rule: "bpf_obj_new() allocates structs of the program's own BTF; per-CPU ones are small and hold only numbers.",
    suggest: "Use bpf_obj_new(typeof(struct)) with a struct defined in the program, compiled with -g.",
    bad: "bpf_obj_new(int);",
    good: "struct node { int v; }; struct node *n = bpf_obj_new(typeof(*n));",
  },
];
