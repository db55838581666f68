/** Errors of control flow, loops, stack depth and complexity. */
import type { Entry } from "./entry.ts";

export const CONTROL: readonly Entry[] = [
  {
    code: "too-complex",
    title: "Too many instructions to verify",
    messages: ["BPF program is too large. Processed {n} insn"],
    rule: "The verifier walks every path that it cannot prove equal to one it walked before, one million instructions in all.",
    suggest:
      "Look at the lines visited most and at the values in which states differ. Make those values equal or irrelevant where paths join: move the loop body into a global (non-static) function, use bpf_loop() or an open-coded iterator (bpf_for) instead of an unrolled loop, and reduce what stays live across it (fewer branches that set flags, a bounded index re-read from a map).",
    value: "none",
    bad: `for (int i = 0; i < 100000; i++)
    sum += hash(data, i);`,
    good: `bpf_for(i, 0, 100000)
    sum += hash(data, i);      /* hash() is a global function */`,
    notes: "`skep verify --complexity` shows the counts for any program, accepted or not.",
  },
  {
    code: "too-many-branches",
    title: "Too many branches that wait",
    messages: [
      "The sequence of {n} jumps is too complex{what}.",
      "R{reg} could not be pushed for speculative verification, {what}",
    ],
    rule: "At most 8192 branches may wait to be walked at one time; a long run of branches or an unrolled loop with branches fills that up.",
    suggest:
      "Break the sequence up: a loop construct the verifier can converge (bpf_loop(), bpf_for), a global function for the body, or a lookup table in a map instead of a chain of comparisons.",
    value: "none",
    bad: "#pragma unroll over thousands of `if (buf[i] == x) n++;`",
    good: "bpf_loop(n, body, &ctx, 0);",
  },
  {
    code: "infinite-loop",
    title: "Loop that may never end",
    messages: ["infinite loop detected at insn {insn}"],
    rule: "The same state was reached twice on one path: nothing the loop's condition depends on changes, so the loop would run for ever.",
    suggest:
      "Make the loop count: an index that grows on every round and a constant bound (`for (i = 0; i < 16; i++)`), bpf_for(), bpf_loop(), or may_goto (cond_break).",
    value: "none",
    bad: `while (bpf_ktime_get_ns() < deadline)
    ;`,
    good: `bpf_for(i, 0, 1000)
    if (bpf_ktime_get_ns() >= deadline)
        break;`,
  },
  {
    code: "loop-unprivileged",
    title: "Backward jump without CAP_BPF",
    messages: ["back-edge from insn {insn} to {to}"],
    rule: "Without CAP_BPF programs may not loop at all.",
    suggest: "Load with CAP_BPF, or unroll the loop (#pragma unroll).",
    bad: "for (i = 0; i < 8; i++) ...      /* unprivileged */",
    good: `#pragma unroll
for (i = 0; i < 8; i++) ...`,
  },
  {
    code: "unreachable",
    title: "Instruction that nothing reaches",
    messages: ["unreachable insn {insn}"],
    rule: "Every instruction must be reachable from the start of its function; dead code could hide anything.",
    suggest: (f) =>
      `Remove instruction ${f.m.insn}, or the unconditional jump or exit before it. Compilers do not emit this; hand-written assembly and patched byte code do.`,
    lang: "asm",
    bad: `exit
r0 = 0
exit`,
    good: `r0 = 0
exit`,
  },
  {
    code: "jump-range",
    title: "Jump to where no instruction begins",
    messages: [
      "jump out of range from insn {insn} to {to}",
      "jump into the middle of ldimm64 insn {insn}",
      "call to invalid destination",
      "last insn is not an exit or jmp",
      "invalid may_goto imm {imm}",
    ],
    rule: "Jumps stay inside their function and hit the first slot of an instruction; a function ends with exit or a jump back.",
    suggest:
      "Check the offset (counted in 8-byte slots from the next instruction; 64-bit immediates take two slots), and end each function with exit.",
    lang: "asm",
    bad: `goto +100
exit`,
    good: `goto +0
exit`,
  },
  {
    code: "stack-depth",
    title: "Stack of nested functions too large",
    messages: [
      "combined stack size of {n} calls is {bytes}. Too large",
      "stack size of subprog {n} is {bytes}. Too large",
      "tail_calls are not allowed when call stack of previous frames is {bytes} bytes. Too large",
    ],
    rule: "The frames of a call chain share 512 bytes of stack (256 where a tail call can happen), each rounded up to 32.",
    suggest: (f) =>
      `${f.m.bytes} bytes are used (${f.frames}). Move large local variables to a per-CPU array map, or inline small functions (__always_inline) so that their variables share one frame.`,
    whole: true,
    bad: `static __noinline int g(void) { char b[300]; ... }
int f(void *ctx) { char a[300]; ... g(); }`,
    good: `struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); ... __type(value, struct scratch); } heap SEC(".maps");`,
  },
  {
    code: "call-depth",
    title: "Calls nested too deeply",
    messages: [
      "the call stack of {n} frames is too deep !",
      "the call stack of {n} frames is too deep",
      "too many subprograms",
      "subprog exit from frame 0",
      "subprog enter from frame 7",
    ],
    rule: "At most 8 functions may be active at once, and a program has at most 256; recursion is not possible.",
    suggest:
      "Inline some of the functions (__always_inline), or turn recursion into a loop with an explicit stack in a map. Tail calls start with a fresh call stack.",
    value: "none",
    bad: "int f(int n) { return n ? f(n - 1) : 0; }",
    good: "for (i = 0; i < n && i < 8; i++) ...",
  },
  {
    code: "exceptions",
    title: "Misuse of bpf_throw() or an exception callback",
    messages: [
      "bpf_throw kfunc (insn {insn}) cannot be called from callback subprog {n}",
      "insn {insn} cannot call exception cb directly",
      "cannot tail call within exception cb",
      "multiple exception callback tags for main subprog",
      "exception callback '{name}' could not be found in BTF",
      "exception callback '{name}' must have global linkage",
      "exception callback type id not found in func_info",
    ],
    rule: "A throw unwinds the whole program, so it may not happen in callbacks, and the exception callback is a global function of one integer that only the kernel calls.",
    suggest:
      "Return an error code from callbacks and throw in the caller; declare one callback with __exception_cb(name), global, `int name(u64 cookie)`.",
    value: "none",
    bad: "static int cb(__u32 i, void *ctx) { bpf_throw(1); }",
    good: "static int cb(__u32 i, void *ctx) { return 1; }",
  },
  {
    code: "subprog-tail-call",
    title: "Tail call where it cannot be made",
    messages: [
      "tail_call is only allowed in functions that return 'int'.",
      "tail_call is not allowed in subprogs without BTF",
    ],
    rule: "A tail call ends the function with the target's result, so the function must return int and have BTF.",
    suggest: "Let the function return int, or make the tail call in the main function.",
    value: "none",
    bad: "static __noinline void g(void *ctx) { bpf_tail_call(ctx, &progs, 0); }",
    good: "static __noinline int g(void *ctx) { bpf_tail_call(ctx, &progs, 0); return 0; }",
  },
  {
    code: "callbacks",
    title: "Callback that cannot be used",
    messages: [
      "callback function not static",
      "arg{arg} expected pointer to func",
      "missing btf func_info",
      "frame{n} bpf_loop iteration limit reached",
    ],
    rule: "Callbacks are static functions of the program, passed by name, with the signature that the helper calls.",
    suggest: "Declare the callback static and pass its name directly.",
    bad: "int cb(__u32 i, void *ctx) { ... }          /* global */",
    good: "static int cb(__u32 i, void *ctx) { ... }",
  },
];
