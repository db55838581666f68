/** Errors of register contents and pointer arithmetic. */
import type { Entry } from "./entry.ts";

export const POINTERS: readonly Entry[] = [
  {
    code: "uninit-register",
    title: "Register read before anything wrote it",
    messages: ["R{reg} !read_ok", "R{reg} is invalid"],
    rule: "A register must have a value on every path that reads it. At entry only r1 (the context, or the arguments) and r10 have one, and every call wipes r1 to r5.",
    suggest: (f) =>
      f.m.reg === "0"
        ? "r0 is the return value: set it on every path before exit (in C: every path of a non-void function returns a value)."
        : `${f.reg} has no value on this path. In C: initialise the variable where it is declared, and give each function called exactly the arguments it declares. In assembly: keep values that must survive a call in r6 to r9.`,
    lang: "asm",
    bad: `call bpf_get_prandom_u32
r0 = r1                 ; the call wiped r1
exit`,
    good: `r6 = r1
call bpf_get_prandom_u32
r0 = *(u32 *)(r6 + 0)
exit`,
  },
  {
    code: "pointer-arithmetic-unbounded",
    title: "Unbounded number added to a pointer",
    messages: [
      "math between {ptr} pointer and register with unbounded min value is not allowed",
      "R{reg} pointer arithmetic of map value goes out of range, prohibited for !root",
    ],
    rule: "What is added to a pointer must have a lower bound (and soon an upper one), otherwise the sum could point anywhere.",
    suggest: (f) =>
      `Give the number a range before adding it to the ${f.m.ptr} pointer: make it unsigned and compare it with the size of the object, or mask it (\`i &= 63\`).${f.reg === "the value" ? "" : ` ${f.reg} is ${f.state}.`}`,
    value: "operand",
    bad: `long i = *signed_index;
v->buf[i] = 1;`,
    good: `__u64 i = *signed_index;
if (i >= sizeof(v->buf))
    return 0;
v->buf[i] = 1;`,
  },
  {
    code: "speculative-arithmetic",
    title: "Pointer arithmetic that the CPU's guesses could misuse",
    messages: [
      "R{reg} has unknown scalar with mixed signed bounds, {why}",
      "R{reg} has pointer with unsupported alu operation, {why}",
      "R{reg} tried to {op} from different maps, paths or scalars, {why}",
      "R{reg} tried to {op} beyond pointer bounds, {why}",
    ],
    rule: "Without CAP_PERFMON, a CPU that guesses a branch wrongly must not reach past the object either, so the kernel masks each sum with a limit, which must be known and the same on every path.",
    suggest: (f) =>
      `Give the number that is added one sign (unsigned, or tested to be at least 0) and one bound on every path to the instruction, or load the program with CAP_PERFMON.${f.state ? ` ${f.reg} is ${f.state}.` : ""}`,
    lang: "asm",
    bad: `r1 = *(u64 *)(r0 + 0)
if r1 s> 4 goto out     ; still negative without limit
r0 += r1`,
    good: `r1 = *(u64 *)(r0 + 0)
r1 &= 3
r0 += r1`,
  },
  {
    code: "pointer-offset",
    title: "Pointer with an offset that is too large or wrong here",
    messages: [
      "math between {ptr} pointer and {n} is not allowed",
      "{ptr} pointer offset {n} is not allowed",
      "value {n} makes {ptr} pointer be out of bounds",
    ],
    rule: "Offsets in pointers stay below 2^29 in both directions, so that sums cannot overflow.",
    suggest: (f) =>
      `The offset (${f.m.n}) is far outside any object. Check the arithmetic; a subtraction that wraps below zero gives such numbers.`,
    value: "operand",
    lang: "asm",
    bad: `r1 = r10
r1 += 0x7fffffff`,
    good: `r1 = r10
r1 += -8`,
  },
  {
    code: "pointer-arithmetic",
    title: "Arithmetic that pointers do not have",
    messages: [
      "R{reg} pointer arithmetic prohibited",
      "R{reg} pointer {op} pointer prohibited",
      "R{reg} 32-bit pointer arithmetic prohibited",
      "R{reg} pointer arithmetic on {type} prohibited",
      "R{reg} tried to subtract pointer from scalar",
      "R{reg} subtraction from stack pointer prohibited",
      "R{reg} bitwise operator {op} on pointer prohibited",
      "R{reg} pointer arithmetic with {op} operator prohibited",
      "R{reg} sign-extension part of pointer",
      "R{reg} partial copy of pointer",
    ],
    rule: "To a pointer a number may be added or subtracted in 64 bits; packet pointers may be subtracted from each other. Everything else would make an address the verifier cannot follow, or tell its value.",
    suggest: (f) => {
      if (/32-bit|partial|sign-ext/.test(f.text))
        return `${f.reg} is a pointer: use the whole 64-bit register. In C, do not keep pointers in int or __u32.`;
      return `${f.reg} is ${f.state || "a pointer"}. Do arithmetic on an index or a length in a separate integer, and add it to the pointer once.`;
    },
    lang: "asm",
    bad: `r1 = r10
r1 *= 8`,
    good: `r2 *= 8
r1 = r10
r1 -= 64
r1 += r2                ; with r2 bounded`,
  },
  {
    code: "null-arithmetic",
    title: "Arithmetic on a pointer before its null check",
    messages: ["R{reg} pointer arithmetic on {type} prohibited, null-check it first"],
    rule: "NULL plus an offset would no longer be NULL and would pass a later null check.",
    suggest: (f) => `Test ${f.reg} for NULL directly after the call that returned it, then add the offset.`,
    bad: `struct val *v = bpf_map_lookup_elem(&m, &key);
char *p = v->buf + 4;       /* v may be NULL */
if (!v) return 0;`,
    good: `struct val *v = bpf_map_lookup_elem(&m, &key);
if (!v) return 0;
char *p = v->buf + 4;`,
  },
  {
    code: "pointer-compare",
    title: "Comparison of pointers that would tell an address",
    messages: ["R{reg} pointer comparison prohibited"],
    rule: "Without CAP_PERFMON, kernel addresses must not influence what the program does; only null checks and comparisons with data_end are allowed.",
    suggest: "Compare with NULL only, or load the program with CAP_PERFMON.",
    lang: "asm",
    bad: "if r1 > 5 goto +1       ; r1 is the context pointer",
    good: "if r0 == 0 goto +1      ; r0 is a map value or NULL",
  },
  {
    code: "pointer-leak",
    title: "Kernel address would become visible",
    messages: [
      "R{reg} leaks addr into {where}",
      "R{reg} leaks addr as return value",
      "R{reg} leaks addr into helper function",
    ],
    rule: "A kernel address must not get to where others read it: map values, packets, context fields, helpers that print or send, or the return value.",
    suggest: (f) =>
      `Store or return the number that you mean, not ${f.reg} (${f.state}): perhaps a dereference (*ptr) is missing.${f.m.where?.startsWith("map") || f.m.where?.startsWith("mem") ? " Tracing programs with CAP_PERFMON may store pointers." : ""}`,
    bad: `__u64 *v = bpf_map_lookup_elem(&m, &key);
if (v)
    *v = (__u64)ctx;`,
    good: `__u64 *v = bpf_map_lookup_elem(&m, &key);
if (v)
    *v = ctx->len;`,
  },
  {
    code: "mixed-pointers",
    title: "One instruction used with different kinds of pointers",
    messages: ["same insn cannot be used with different pointers"],
    rule: "Loads through context, sockets and kernel objects are rewritten at load time, each kind its own way, so one instruction must always see the same kind.",
    suggest:
      "Access the memory in each branch separately, before the branches join, so that the compiler cannot share the load. A `barrier()` in one branch helps.",
    bad: `void *p = cond ? (void *)ctx : (void *)sk;
x = *(__u32 *)p;`,
    good: `if (cond)
    x = ctx->len;
else
    x = sk->mark;`,
  },
  {
    code: "return-value",
    title: "Return value outside the range of the program type",
    messages: [
      "{where} the register R{reg} has{state} should have been in [{min}, {max}]",
      "{where} the register R{reg} is not a known value ({type})",
      "At subprogram exit the register R{reg} is not a scalar value ({type})",
      "R0 not a scalar value",
      "cannot return stack pointer to the caller",
    ],
    rule: "The kernel acts upon what a program or callback returns, so the value must provably lie in the range its type allows.",
    suggest: (f) =>
      f.m.min
        ? `Return a number from ${f.m.min} to ${f.m.max}${f.m.max === f.m.min ? " only" : ""} on every path; here it is ${f.state || f.m.state}. A value from a helper or a map must be clamped or compared before it is returned.`
        : "Return an integer, not a pointer.",
    bad: `SEC("cgroup/connect4") int f(struct bpf_sock_addr *ctx)
{
    return -EPERM;
}`,
    good: `SEC("cgroup/connect4") int f(struct bpf_sock_addr *ctx)
{
    return 0;   /* 0 denies, 1 allows */
}`,
  },
  {
    code: "const-expected",
    title: "Argument that must be a constant",
    messages: [
      "R{reg} is not a known constant'",
      "R{reg} must be a known constant",
      "R{reg} is not a const",
      "R{reg} is not a constant address'",
      "R{reg} doesn't have constant offset. {what} has to be at the constant offset",
      "R{reg} rdonly/rdwr_buf_size exceeds u32 max",
    ],
    rule: "The verifier must know this argument exactly, because the result's size or kind depends on it.",
    suggest: (f) =>
      `Pass a literal or sizeof() in ${f.reg}; here it is ${f.state || "variable"}. A const variable in .rodata counts as a constant too.`,
    bad: "void *r = bpf_ringbuf_reserve(&rb, len, 0);",
    good: "void *r = bpf_ringbuf_reserve(&rb, sizeof(struct event), 0);",
  },
  {
    code: "invariant",
    title: "The verifier's own knowledge became contradictory",
    messages: [
      "verifier bug: {text}",
      "verifier internal error: {text}",
      "verifier bug. No program starts at insn {insn}",
      "bug: bad parent state for iter next call",
      "kernel subsystem misconfigured verifier",
      "meta.ref_obj_id already set",
      "propagate_backedges: too many iterations",
      "invalid insn idx {insn} insn_cnt {n}",
    ],
    rule: "This is no mistake of the program: the verifier met a state it considers impossible.",
    suggest:
      "Simplify the code near the instruction (for example, avoid mixing 32-bit and 64-bit comparisons of one value) and report the program.",
    lang: "text",
    bad: "rare; the message shows the ranges that contradict each other",
    good: "any equivalent code that compares the value once",
  },
];
