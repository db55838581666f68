/** Errors of references, locks, RCU, preemption and interrupts. */
import type { Entry } from "./entry.ts";

export const REFS: readonly Entry[] = [
  {
    code: "reference-leak",
    title: "Reference that is never released",
    messages: [
      "{where} would lead to reference leak",
      "Unreleased reference id={ref} alloc_insn={at}",
      "tail_call would lead to reference leak",
    ],
    rule: "What a program acquires (a socket, a ring buffer record, a task, an allocated object) it must release, submit or store on every path before it ends.",
    suggest: (f) => {
      const at = Number(f.detail("Unreleased reference id={ref} alloc_insn={at}")?.at ?? f.m.at);
      if (!Number.isInteger(at)) return "Release the reference before leaving, on every path.";
      const what = f.lineOf(at);
      const text = acquirer(f.helperAt(at));
      return `The reference acquired by ${what} is still held when the program leaves. ${text ?? "Call the matching release function on every path where the pointer is not NULL"}: early returns between acquisition and release are the usual cause.`;
    },
    value: "none",
    bad: `struct event *e = bpf_ringbuf_reserve(&rb, sizeof(*e), 0);
if (!e) return 0;
if (bpf_get_prandom_u32() & 1)
    return 0;                       /* e is lost */
bpf_ringbuf_submit(e, 0);`,
    good: `struct event *e = bpf_ringbuf_reserve(&rb, sizeof(*e), 0);
if (!e) return 0;
if (bpf_get_prandom_u32() & 1) {
    bpf_ringbuf_discard(e, 0);
    return 0;
}
bpf_ringbuf_submit(e, 0);`,
  },
  {
    code: "held-at-exit",
    title: "Lock, RCU, preemption or interrupt section still open",
    messages: ["{where} cannot be used inside {region}-ed region"],
    since: (m) => [m.region, m.region.replace("bpf_spin_lock", "bpf_res_spin_lock")],
    rule: "A program must close every such section before it ends, makes a tail call or throws.",
    suggest: (f) => {
      const end = f.m.region.replace("_lock", "_unlock").replace("_save", "_restore").replace("_disable", "_enable");
      return `Call ${end}() before this point on every path. The section begun by ${f.m.region}() is still open here.`;
    },
    value: "none",
    bad: `bpf_spin_lock(&v->lock);
if (v->n > 10)
    return 0;
bpf_spin_unlock(&v->lock);`,
    good: `bpf_spin_lock(&v->lock);
n = v->n;
bpf_spin_unlock(&v->lock);
if (n > 10)
    return 0;`,
  },
  {
    code: "call-in-lock",
    title: "Call while a lock is held",
    messages: [
      "function calls are not allowed while holding a lock",
      "global function calls are not allowed while holding a lock,",
      "use static function instead",
      "can't spin_{lock,unlock} in rbtree cb",
    ],
    since: () => ["bpf_spin_lock", "bpf_res_spin_lock", "bpf_res_spin_lock_irqsave"],
    rule: "Between bpf_spin_lock() and bpf_spin_unlock() nothing may be called but static functions and the list and tree operations, so that the section stays short and cannot deadlock.",
    suggest:
      "Compute before taking the lock, keep results in local variables, and call after the unlock. Make functions used inside static.",
    value: "none",
    bad: `bpf_spin_lock(&v->lock);
v->t = bpf_ktime_get_ns();
bpf_spin_unlock(&v->lock);`,
    good: `__u64 now = bpf_ktime_get_ns();
bpf_spin_lock(&v->lock);
v->t = now;
bpf_spin_unlock(&v->lock);`,
  },
  {
    code: "lock-order",
    title: "Locks taken or released in the wrong way",
    messages: [
      "Locking two bpf_spin_locks are not allowed",
      "Acquiring the same lock again, AA deadlock detected",
      "{name}_unlock without taking a lock",
      "{name}_unlock of different lock",
      "{name}_unlock cannot be out of order",
      "cannot restore irq state out of order, expected id={id} acquired at insn_idx={at}",
      "irq flag acquired by {a} kfuncs cannot be restored with {b} kfuncs",
      "expected uninitialized irq flag as arg#{arg}",
      "expected an initialized irq flag as arg#{arg}",
      "arg#{arg} doesn't point to an irq flag on stack",
    ],
    rule: "One bpf_spin_lock at a time; what is locked is unlocked, once, on the same object, in the opposite order.",
    suggest:
      "Pair every lock with the unlock of the same field of the same object on every path. A second bpf_map_lookup_elem() gives another object for the verifier even when the key is the same: keep the first pointer.",
    bad: `bpf_spin_lock(&a->lock);
bpf_spin_unlock(&b->lock);`,
    good: `bpf_spin_lock(&a->lock);
bpf_spin_unlock(&a->lock);`,
  },
  {
    code: "lock-place",
    title: "Lock that is not where a lock may be",
    messages: [
      "map '{map}' has to have BTF in order to use {field}",
      "map '{map}' has no valid {field}",
      "{what} '{map}' has no valid {field}",
      "off {off} doesn't point to 'struct {field}' that is at {at}",
      "tracing progs cannot use bpf_{what} yet",
      "tracing progs cannot use bpf_spin_lock yet",
      "socket filter progs cannot use bpf_spin_lock yet",
    ],
    rule: "Locks, timers and work items live in map values (or allocated objects) whose BTF shows them, once each, and not every program type may use them.",
    suggest: (f) =>
      f.m.map
        ? `Declare the value of map '${f.m.map}' as a struct with that member (in a BTF-defined map: __type(value, struct val)), and pass the member's own address.`
        : "Use a program type that may take it (tc, XDP, cgroup, syscall), or atomics instead of a lock: tracing programs can interrupt the lock's holder.",
    bad: `SEC("kprobe/do_nanosleep") int f(void *ctx) { ... bpf_spin_lock(&v->lock); ... }`,
    good: "__sync_fetch_and_add(&v->n, 1);",
  },
  {
    code: "release",
    title: "Release of something that was not acquired",
    messages: [
      "R{reg} must be referenced when passed to release function",
      "arg {reg} is an unacquired reference",
      "release kernel function {func} expects refcounted PTR_TO_BTF_ID",
      "func {func} reference has not been acquired before",
      "kfunc {func} reference has not been acquired before",
      "allocated object must be referenced",
      "arg#{arg} is neither owning or non-owning ref",
      "cannot release unowned const bpf_dynptr",
    ],
    rule: "Only a pointer that this program owns may be released, and only once.",
    suggest: (f) =>
      `${f.callee ? `${f.callee}()` : "The call"} needs the pointer as the acquiring call returned it, not released before, and not one that belongs to somebody else (a context field, a member of another object). Here ${f.reg} is ${f.state || "no such pointer"}.`,
    bad: `struct bpf_sock *sk = skb->sk;
if (sk) bpf_sk_release(sk);`,
    good: `struct bpf_sock *sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), -1, 0);
if (sk) bpf_sk_release(sk);`,
  },
  {
    code: "rcu",
    title: "RCU or preemption section that does not match",
    messages: [
      "nested rcu read lock (kernel function {func})",
      "unmatched rcu read unlock (kernel function {func})",
      "unmatched attempt to enable preemption (kernel function {func})",
      "Calling bpf_rcu_read_{lock,unlock} in unnecessary rbtree callback",
      "kernel func {func} requires RCU critical section protection",
      "expected an RCU CS when using {func}",
      "R{reg} must be a rcu pointer",
    ],
    rule: "RCU-protected pointers and iterators are valid only between bpf_rcu_read_lock() and bpf_rcu_read_unlock() (non-sleepable programs are always inside), and sections nest properly.",
    suggest:
      "Put bpf_rcu_read_lock() before the pointer is loaded and bpf_rcu_read_unlock() behind its last use, in the same function; load the pointer again in a new section.",
    bad: `struct task_struct *p = task->real_parent;   /* sleepable program */
bpf_task_acquire(p);`,
    good: `bpf_rcu_read_lock();
struct task_struct *p = task->real_parent;
...
bpf_rcu_read_unlock();`,
  },
];

/** What to call instead of leaving, for well-known acquirers. */
function acquirer(imm: number): string | undefined {
  const known: Readonly<Record<number, string>> = {
    131: "Call bpf_ringbuf_submit() or bpf_ringbuf_discard() on every path where the record is not NULL",
    84: "Call bpf_sk_release() on every path where the socket is not NULL",
    85: "Call bpf_sk_release() on every path where the socket is not NULL",
    99: "Call bpf_sk_release() on every path where the socket is not NULL",
    198: "Call bpf_ringbuf_submit_dynptr() or bpf_ringbuf_discard_dynptr() on every path, even when the reservation failed",
    194: "Store the old pointer back, or release it, on every path where bpf_kptr_xchg() returned one",
  };
  return known[imm];
}
