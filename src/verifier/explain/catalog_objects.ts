/** Errors of dynptrs, iterators, lists, trees. */
import type { Entry } from "./entry.ts";

export const OBJECTS: readonly Entry[] = [
  {
    code: "dynptr-uninit",
    title: "Dynptr that is not initialised, or of another type",
    messages: [
      "Expected an initialized dynptr as arg #{arg}",
      "Expected a dynptr of type {type} as arg #{arg}",
      "arg#{arg} expected pointer to stack or const struct bpf_dynptr",
    ],
    value: "pointee",
    rule: "A dynptr is a pair of stack slots that only its constructor fills (bpf_dynptr_from_mem, bpf_ringbuf_reserve_dynptr, bpf_dynptr_from_skb, ...); it dies with the memory it describes and when its bytes are overwritten.",
    suggest: (f) =>
      `Initialise the dynptr on every path before ${f.callee || "the call"}, do not use it after submit, discard or a helper that invalidates packets, and pass its own address (&ptr).`,
    bad: `struct bpf_dynptr ptr;
bpf_dynptr_read(buf, sizeof(buf), &ptr, 0, 0);`,
    good: `struct bpf_dynptr ptr;
bpf_ringbuf_reserve_dynptr(&rb, 64, 0, &ptr);
bpf_dynptr_write(&ptr, 0, buf, sizeof(buf), 0);
bpf_ringbuf_submit_dynptr(&ptr, 0);`,
  },
  {
    code: "dynptr-misuse",
    title: "Dynptr overwritten, moved or initialised twice",
    messages: [
      "cannot overwrite referenced dynptr",
      "Dynptr has to be an uninitialized dynptr",
      "cannot pass pointer to const bpf_dynptr, the helper mutates it",
      "potential write to dynptr at off={slot} disallowed",
      "{kind} has to be at a constant offset",
      "cannot pass in {kind} at an offset={off}",
    ],
    value: "pointee",
    rule: "A dynptr's 16 bytes belong to the kernel until it is released: no store, no second constructor, no variable offset.",
    suggest: "Submit or discard the dynptr before its variable is used again, and never write to its memory directly.",
    bad: `bpf_ringbuf_reserve_dynptr(&rb, 8, 0, &ptr);
bpf_ringbuf_reserve_dynptr(&rb, 8, 0, &ptr);`,
    good: `bpf_ringbuf_reserve_dynptr(&rb, 8, 0, &ptr);
bpf_ringbuf_discard_dynptr(&ptr, 0);
bpf_ringbuf_reserve_dynptr(&rb, 8, 0, &ptr);`,
  },
  {
    code: "iterator",
    title: "Iterator used out of order",
    messages: [
      "expected an initialized {label} as arg #{arg}",
      "expected uninitialized {label} as arg #{arg}",
      "expected valid iter pointer as arg #{arg}",
      "arg#{arg} expected pointer to an iterator on stack",
    ],
    value: "pointee",
    rule: "An open-coded iterator is made with bpf_iter_*_new(), asked with _next() and always ended with _destroy(), on the same stack variable.",
    suggest:
      "Call _new() once before the loop and _destroy() once behind it on every path, or use bpf_for() and bpf_for_each(), which do both.",
    bad: `struct bpf_iter_num it;
bpf_iter_num_next(&it);`,
    good: `bpf_for(i, 0, 10)
    sum += i;`,
  },
  {
    code: "graph-node",
    title: "List or tree operation on the wrong node",
    messages: [
      "{node} not found at offset={off}",
      "operation on {field} expects arg#1 {node} at offset={want} in struct {struct}, but arg is at offset={off} in struct {have}",
      "arg#1 offset={off}, but expected {node} at offset={want} in struct {struct}",
      "{func} can only take non-owning or refcounted bpf_rb_node pointer",
    ],
    rule: "A list or tree holds nodes of one struct at one member, as its __contains() tag says.",
    suggest: "Pass the address of the very bpf_list_node or bpf_rb_node member named in __contains(struct, member).",
    bad: `private(A) struct bpf_list_head head __contains(foo, node);
bpf_list_push_back(&head, &bar->node);`,
    good: "bpf_list_push_back(&head, &foo->node);",
  },
  {
    code: "graph-lock",
    title: "List or tree used without its lock",
    messages: [
      "held lock and object are not in the same allocation",
      "bpf_spin_lock at off={off} must be held for {what}",
    ],
    rule: "A list or tree may be touched only while the bpf_spin_lock beside it, in the same map value or object, is held.",
    suggest:
      "Take the lock declared together with the head or root (same private() section or same struct) around the operation.",
    bad: "bpf_list_push_front(&head, &f->node);",
    good: `bpf_spin_lock(&lock);
bpf_list_push_front(&head, &f->node);
bpf_spin_unlock(&lock);`,
  },
];
