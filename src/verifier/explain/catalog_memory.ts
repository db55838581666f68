/** Errors of memory accesses: packet, map values, stack, buffers. */
import type { Entry, Facts } from "./entry.ts";

const MAX = Number.MAX_SAFE_INTEGER;

/** End of the packet access in bytes from the start of the packet. */
function packetEnd(f: Facts): { end: number; have: number } | undefined {
  const d = f.detail("invalid access to packet, off={off} size={size}, R{r}(id={id},off={o},r={range})");
  return d && { end: Number(d.off) + Number(d.size), have: Number(d.range) };
}

function boundAdvice(f: Facts, limit: string): string {
  const who = f.index?.reg ?? f.reg;
  if (f.range && f.range.smin < 0 && f.range.umax > MAX) {
    return `${who} may be negative or huge. Make it unsigned and compare it with ${limit} on the path to the access, in the same variable that the access uses: the compiler must not have copied or widened it in between.`;
  }
  return `${f.index ? `The index in ${who} (${f.index.state}) is too wide. ` : ""}Compare ${f.index ? "it" : who} with ${limit} before the access and leave when it is larger.`;
}

export const MEMORY: readonly Entry[] = [
  {
    code: "packet-range",
    title: "Packet access that no check against data_end covers",
    messages: [
      "R{reg} offset is outside of the packet",
      "invalid access to packet, off={off} size={size}, R{reg}(id={id},off={o},r={range})",
    ],
    rule: "Packets differ in length, so a program may only touch bytes that a comparison with data_end has proved to exist, on this path and through this very pointer.",
    suggest: (f) => {
      const p = packetEnd(f);
      if (f.callee) {
        return `${f.callee}() reads packet memory at ${f.reg}: compare the end of that memory with data_end before the call, and leave when it is beyond.`;
      }
      if (!p)
        return `Compare ${f.reg} plus the bytes used with data_end before this access, and leave when it is beyond.`;
      const some = p.have > 0 ? ` Only ${p.have} bytes are checked so far.` : "";
      return `This access ends ${p.end} byte${p.end === 1 ? "" : "s"} behind the pointer that is checked.${some} Put \`if ((void *)ptr + ${p.end} > data_end) return ...;\` before it, with ptr the pointer that ${f.reg} was made from. After any helper that may change the packet, load data and data_end again and repeat the check.`;
    },
    bad: `SEC("xdp") int f(struct xdp_md *ctx)
{
    struct ethhdr *eth = (void *)(long)ctx->data;
    return eth->h_proto ? XDP_PASS : XDP_DROP;
}`,
    good: `SEC("xdp") int f(struct xdp_md *ctx)
{
    void *data_end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = (void *)(long)ctx->data;
    if ((void *)(eth + 1) > data_end)
        return XDP_PASS;
    return eth->h_proto ? XDP_PASS : XDP_DROP;
}`,
    notes:
      "A variable offset must be bounded too (at most 0xffff), and the check must be made on the sum `data + offset`, not on the offset alone: a comparison of lengths teaches the verifier nothing about the pointer.",
  },
  {
    code: "invalid-mem-access",
    title: "Access through something that is no usable pointer",
    messages: ["R{reg} invalid mem access '{type}'"],
    rule: "Loads and stores need a pointer of a kind the verifier can bound. A plain number, a pointer that may be NULL, or a pointer that ended with a call is none.",
    suggest: (f) => {
      const t = f.m.type;
      if (t === "scalar") {
        if (/move the packet/.test(f.lost)) {
          return `Load data and data_end from the context again after the call, and compare again, before ${f.reg} is used.`;
        }
        if (/was wiped by the call/.test(f.lost)) {
          return "Keep the pointer in a variable that lives across the call (in assembly: r6 to r9, or a stack slot).";
        }
        return `${f.reg} is a number here, not a pointer. If it came from kernel memory, read through it with bpf_probe_read_kernel() or BPF_CORE_READ(); if it was a packet pointer, a call wiped it: load data and data_end from the context again; if arithmetic made it, keep the pointer's type by adding to the pointer.`;
      }
      if (/_or_null/.test(t)) {
        return `Test ${f.reg} before using it: \`if (!ptr) return 0;\` right after the call that returned it${f.map ? ` (the lookup in map '${f.map.name}')` : ""}. The test must be on the same variable.`;
      }
      if (t === "map_ptr") return "This is the map itself, not a value in it. Get a value with bpf_map_lookup_elem().";
      if (t === "pkt_end") return "data_end only serves for comparisons; nothing can be read through it.";
      if (t === "dynptr_ptr")
        return "A dynptr is opaque: read it with bpf_dynptr_read(), or get memory with bpf_dynptr_data() or bpf_dynptr_slice().";
      if (/user|percpu/.test(t))
        return "This memory is not directly reachable: use bpf_copy_from_user(), bpf_probe_read_user(), bpf_this_cpu_ptr() or bpf_per_cpu_ptr().";
      return `Nothing can be read or written through ${f.reg} (${f.state}).`;
    },
    bad: `__u64 *v = bpf_map_lookup_elem(&counts, &key);
*v += 1;`,
    good: `__u64 *v = bpf_map_lookup_elem(&counts, &key);
if (!v)
    return 0;
*v += 1;`,
  },
  {
    code: "map-value-range",
    title: "Access outside a map value, a memory buffer or a key",
    messages: [
      "R{reg} min value is outside of the allowed memory range",
      "R{reg} max value is outside of the allowed memory range",
      "invalid access to map value, value_size={vs} off={off} size={size}",
      "invalid access to map key, key_size={ks} off={off} size={size}",
      "invalid access to memory, mem_size={ms} off={off} size={size}",
      "invalid access to map value pointer, value_size={vs} off={off}",
      "direct value offset of {off} is not allowed",
    ],
    rule: "Every byte of an access must lie inside the object, for the smallest and for the largest offset that the verifier thinks possible.",
    suggest: (f) => {
      const d =
        f.detail("invalid access to map value, value_size={len} off={off} size={size}") ??
        f.detail("invalid access to memory, mem_size={len} off={off} size={size}") ??
        f.detail("invalid access to map key, key_size={len} off={off} size={size}");
      if (!d) return "Give the access an offset inside the object.";
      const last = Number(d.len) - Number(d.size);
      const what = f.map ? `the value of '${f.map.name}'` : "the object";
      if (last < 0)
        return `${d.size} bytes are accessed, but ${what} has only ${d.len}. Make it larger or access less.`;
      if (Number(d.off) < 0) return `The offset can be ${d.off}. Make sure it is not negative: use an unsigned index.`;
      if (f.isLength)
        return `The length in ${f.reg} can be ${d.size}, more than ${what} has from there on. Test or mask it before the call.`;
      if (!f.index) {
        return `The ${f.isLoad ? "read" : "access"} of ${d.size} byte${d.size === "1" ? "" : "s"} at offset ${d.off} ends at ${Number(d.off) + Number(d.size)}, but ${what} has only ${d.len} bytes. Correct the index or the type that gives this offset; ${last} is the last possible one.`;
      }
      return `The access of ${d.size} byte${d.size === "1" ? "" : "s"} can begin at offset ${d.off}, but ${what} has ${d.len} bytes, so it may begin at ${last} at most. Bound the index before it is added (${f.index.reg}, ${f.index.state}), so that it is never more than ${last} bytes: \`if (i >= ARRAY_SIZE) return 0;\` with the size of the very array.`;
    },
    bad: `struct val { char buf[16]; } *v = bpf_map_lookup_elem(&m, &key);
if (v && len <= 16)
    v->buf[len] = 0;`,
    good: `struct val { char buf[16]; } *v = bpf_map_lookup_elem(&m, &key);
if (v && len < 16)
    v->buf[len] = 0;`,
  },
  {
    code: "unbounded-access",
    title: "Index or offset without an upper bound",
    messages: ["R{reg} unbounded memory access, make sure to bounds check any such access"],
    rule: "A variable offset into memory needs an upper bound that the verifier can see on the path to the access.",
    suggest: (f) =>
      boundAdvice(
        f,
        f.map
          ? `the size of the array (the value of '${f.map.name}' has ${f.map.valueSize} bytes)`
          : "the size of the memory",
      ),
    bad: `__u32 i = ctx_value;
char c = v->buf[i];`,
    good: `__u32 i = ctx_value;
if (i >= sizeof(v->buf))
    return 0;
char c = v->buf[i];`,
    notes:
      "If the check is there and the error stays, look at the registers: compilers compare one copy and index with another, or compare 32 bits and index with 64. `barrier_var(i)` or `bpf_clamp_umax(i, N)` (inline assembly) keep both the same.",
  },
  {
    code: "negative-index",
    title: "Index or offset that may be negative",
    messages: [
      "R{reg} min value is negative, either use unsigned index or do a if (index >=0) check.",
      "R{reg} min value is negative, either use unsigned or 'var &= const'",
    ],
    rule: "An offset or a length must not be negative: as an unsigned number it would be huge.",
    suggest: (f) =>
      f.index
        ? `The index in ${f.index.reg} (${f.index.state}) may be negative. Use an unsigned type for it, or leave when it is below 0, before it is added; an upper bound alone does not exclude negative numbers.`
        : f.range && f.range.smin < 0 && f.range.umax > MAX
          ? `Nothing bounds ${f.reg}. Compare it as an unsigned number before ${f.callee ? `the call of ${f.callee}()` : "the access"}: \`if (${f.callee ? "len > sizeof(buf)" : "i >= N"}) return 0;\`. With a signed type also exclude negative values.`
          : f.callee
            ? `Make the size in ${f.reg} unsigned, or test it first: \`if (len < 0) return 0;\` (${f.callee}() takes it as an unsigned length). \`len &= MAX - 1\` with a power of two bounds both ends.`
            : `Use an unsigned type for the index in ${f.reg}, or test \`if (i < 0) return 0;\` before it. An upper bound alone (\`i < N\`) lets negative numbers of a signed type pass.`,
    bad: `int len = bpf_probe_read_str(buf, sizeof(buf), p);
bpf_perf_event_output(ctx, &events, 0, buf, len);`,
    good: `int len = bpf_probe_read_str(buf, sizeof(buf), p);
if (len < 0)
    return 0;
bpf_perf_event_output(ctx, &events, 0, buf, len & (sizeof(buf) - 1));`,
  },
  {
    code: "unbounded-size",
    title: "Length for a helper without an upper bound",
    messages: ["R{reg} unbounded memory access, use 'var &= const' or 'if (var < const)'"],
    rule: "A helper touches as many bytes as its size argument says, so that argument needs an upper bound not above the size of the memory.",
    suggest: (f) =>
      f.state.startsWith("the number")
        ? `The length in ${f.reg} is ${f.state}, far more than any buffer has. Pass sizeof() of the buffer.`
        : `The length in ${f.reg} has no useful upper bound${f.callee ? ` when ${f.callee}() is called` : ""}. Test it (\`if (len > sizeof(buf)) return 0;\`) or mask it (\`len &= sizeof(buf) - 1\`) directly before the call.`,
    bad: "bpf_probe_read_kernel(buf, len, src);",
    good: `if (len > sizeof(buf))
    return 0;
bpf_probe_read_kernel(buf, len, src);`,
  },
  {
    code: "zero-size",
    title: "Length for a helper that may be zero",
    messages: ["R{reg} invalid zero-sized read: u64=[{min},{max}]", "invalid zero-sized read"],
    rule: "This helper wants at least one byte, so a length of 0 must be impossible.",
    suggest: (f) =>
      `${f.reg} ${f.state === "the number 0" ? "is always" : "can be"} 0 here. Leave earlier when the length is 0: \`if (len == 0 || len > sizeof(buf)) return 0;\`.`,
    bad: "bpf_trace_printk(fmt, len & 15);",
    good: "bpf_trace_printk(fmt, (len & 7) + 1);",
  },
  {
    code: "stack-uninit",
    title: "Read of stack bytes that nothing wrote",
    messages: [
      "invalid read from stack off {slot}+{byte} size {size}",
      "invalid read from stack R{r} off {slot}+{byte} size {size}",
      "invalid read from stack R{reg} var_off {var}+{byte} size {size}",
    ],
    rule: "Stack bytes must be written before they are read, on every path: old stack contents would leak kernel memory, to the program or to a map or helper.",
    suggest: (f) =>
      /dynptr|iterator/.test(f.state)
        ? `The bytes at ${f.reg} are ${f.state}: no memory that a call may read. Pass the data it describes (bpf_dynptr_data(), bpf_dynptr_read()).`
        : f.callee
          ? `${f.callee}() reads ${f.m.size} bytes of stack, and byte ${Number(f.m.byte) + 1} of them is not written on this path. Clear the whole variable first, padding too: \`__builtin_memset(&key, 0, sizeof(key))\` or \`= {}\`; a field-by-field initialiser leaves holes between fields.`
          : `Give the variable at ${f.reg} a value when it is declared, so that every path writes it.`,
    bad: `struct { __u8 a; __u32 b; } key;
key.a = 1; key.b = 2;   /* 3 bytes of padding stay unwritten */
bpf_map_lookup_elem(&m, &key);`,
    good: `struct { __u8 a; __u32 b; } key = {};
__builtin_memset(&key, 0, sizeof(key));
key.a = 1; key.b = 2;
bpf_map_lookup_elem(&m, &key);`,
    notes: "With CAP_PERFMON the program itself may read unwritten stack; helpers and maps still may not always.",
  },
  {
    code: "stack-range",
    title: "Access outside the 512 bytes of stack",
    messages: [
      "invalid{dir} stack R{reg} off={off} size={size}",
      "invalid variable-offset{dir} stack R{reg} var_off={var} off={off} size={size}",
      "invalid unbounded variable-offset{dir} stack R{reg}",
      "math between fp pointer and {n} is not allowed",
      "stack slot {slot} out of bounds, total {total}",
    ],
    rule: "A function's frame is the 512 bytes below r10; every access must lie inside, whatever value a variable offset has.",
    suggest: (f) =>
      f.m.dir?.includes("read") && Number(f.m.off) >= -512 && Number(f.m.off) + Number(f.m.size) <= 0
        ? `Nothing wrote the ${f.m.size} bytes at fp${f.m.off} on this path: without CAP_PERFMON, stack must be written before it is read${f.callee ? ` by ${f.callee}()` : ""}. Give the variable a value where it is declared.`
        : f.isLength
          ? `The length in ${f.reg} can be ${f.m.size}, more than the stack variable has. Compare it with sizeof() of that variable and leave when it is larger.`
          : f.m.off
            ? `The access of ${f.m.size} bytes at fp${Number(f.m.off) >= 0 ? "+" : ""}${f.m.off} is not within fp-512..fp-1. Check the index of the local array; large data belongs in a per-CPU array map.`
            : "Bound the index into the local array on both sides before using it; large data belongs in a per-CPU array map.",
    lang: "asm",
    bad: "r0 = *(u64 *)(r10 - 520)",
    good: `*(u64 *)(r10 - 512) = 0
r0 = *(u64 *)(r10 - 512)`,
  },
  {
    code: "stack-variable-offset",
    title: "Variable stack offset where a constant one is needed",
    messages: [
      "variable offset stack pointer cannot be passed into helper function; var_off={var} off={off} size={size}",
      "R{reg} variable offset stack access prohibited for !root, var_off={var}",
      "R{reg} variable stack access prohibited for !root, var_off={var} off={off}",
      "R{reg} stack pointer arithmetic goes out of range, prohibited for !root; off={off}",
      "spilled ptr in range of var-offset stack write; insn {i}, ptr off: {off}",
      "uninit stack in range of var-offset write prohibited for !root; insn {i}, off: {off}",
    ],
    rule: "Which stack bytes a variable offset touches is not known, so it must not reach saved pointers or dynptrs, and without CAP_PERFMON it is not allowed at all.",
    suggest:
      "Use a constant offset, or keep the array that is indexed in a map value or a per-CPU scratch map instead of on the stack.",
    lang: "asm",
    bad: `r1 = r10
r1 += r2                 ; r2 = 0..8, r2 - 16 reaches a saved pointer
*(u64 *)(r1 - 16) = r3`,
    good: "*(u64 *)(r10 - 16) = r3",
  },
  {
    code: "stack-spill",
    title: "Saving or restoring a register with the wrong size",
    messages: [
      "attempt to corrupt spilled pointer on stack",
      "invalid size of register spill",
      "invalid size of register fill",
      "cannot spill pointers to stack into stack frame of the caller",
      "leaking pointer from stack off {slot}",
    ],
    rule: "Pointers go to the stack and come back in 8 bytes at an offset that is a multiple of 8; parts of a pointer must not be written or read.",
    suggest:
      "Save and restore pointers with 8-byte accesses at aligned slots, and do not reuse a slot that holds a pointer for smaller data.",
    lang: "asm",
    bad: `*(u32 *)(r10 - 8) = r1   ; r1 is a pointer`,
    good: "*(u64 *)(r10 - 8) = r1",
  },
  {
    code: "misaligned",
    title: "Access that is not aligned to its size",
    messages: ["misaligned {what}access off {off} size {size}"],
    rule: "Stack, context and most kernel memory must be accessed at multiples of the access size; packets too where the program asks for strict alignment.",
    suggest: (f) => `Offset ${f.m.off} is no multiple of ${f.m.size}. Align the member, or read it byte by byte.`,
    lang: "asm",
    bad: "*(u64 *)(r10 - 12) = r1",
    good: "*(u64 *)(r10 - 16) = r1",
  },
  {
    code: "write-forbidden",
    title: "Write to memory that is read-only here",
    messages: [
      "R{reg} cannot write into {type}",
      "write into map forbidden, value_size={vs} off={off} size={size}",
      "write into map forbidden",
      "read from map forbidden, value_size={vs} off={off} size={size}",
      "cannot write into packet",
      "the prog does not allow writes to packet data",
      "write to change key R{reg} not allowed",
      "bpf_{func}() may write into memory pointed by R{reg} type={type}",
      "frame pointer is read only",
    ],
    rule: "Some memory may only be read: frozen or read-only maps (.rodata), map keys, most kernel objects, packets in program types that only observe, and r10.",
    suggest: (f) =>
      f.m.type === "rdonly_mem"
        ? `${f.reg} is read-only memory. For a slice that is written use bpf_dynptr_slice_rdwr() (and bpf_dynptr_write() where that gives a copy).`
        : f.map
          ? `Map '${f.map.name}' is not open to this access from programs (BPF_F_RDONLY_PROG or BPF_F_WRONLY_PROG). Use a variable that is not const (.data or .bss), or a map without that flag.`
          : `Write to a copy on the stack or in a map instead of through ${f.reg}${f.state ? ` (${f.state})` : ""}. Packets can be changed by XDP, tc, lwt_xmit and sk_skb programs only.`,
    bad: `const volatile int limit = 5;      /* .rodata */
*(int *)&limit = 6;`,
    good: `int limit = 5;                     /* .data */
limit = 6;`,
  },
  {
    code: "buffer-range",
    title: "Access outside a tracing buffer, flow keys or a socket field",
    messages: [
      "R{reg} invalid {what} buffer access: off={off}, size={size}",
      "R{reg} invalid variable buffer offset: off={off}, var_off={var}",
      "invalid access to flow keys off={off} size={size}",
      "R{reg} invalid {type} access off={off} size={size}",
    ],
    rule: "Buffers and socket structures are read at constant offsets, at the sizes their fields have.",
    suggest: (f) =>
      `Read a whole field at its own offset and width: ${f.m.size || "this many"} bytes at offset ${f.m.off || "this"} do not fit one. struct bpf_sock fields such as src_ip4 are 4 bytes wide, and only some may be read narrower.`,
    bad: "__u64 x = *(__u64 *)&sk->src_ip4;",
    good: "__u32 x = sk->src_ip4;",
  },
  {
    code: "special-field",
    title: "Direct access to a lock, timer, kptr or other special field",
    messages: [
      "{field} cannot be accessed directly by load/store",
      "direct access to {field} is disallowed",
      "kptr in map can only be accessed using BPF_MEM instruction mode",
      "kptr in map can only be accessed using BPF_LDX/BPF_STX/BPF_ST",
      "store to referenced kptr disallowed",
      "store to uptr disallowed",
      "BPF_ST imm must be 0 when storing to kptr at off={off}",
      "kptr cannot be accessed indirectly by helper",
      "kptr access cannot have variable offset",
      "kptr access misaligned expected={want} off={off}",
      "kptr access size must be BPF_DW",
      "R{reg} has no valid kptr",
      "off={off} doesn't point to kptr",
      "off={off} kptr isn't referenced kptr",
      "R{reg} doesn't have constant offset. kptr has to be at the constant offset",
      "map '{map}' has to have BTF in order to use bpf_kptr_xchg",
      "invalid kptr access, R{reg} type={type} expected={want}",
      "invalid kptr access, R{reg} type={type} expected={want} or {or}",
    ],
    rule: "Special fields of a map value or object hold kernel state; only the helper or kfunc made for them may touch them.",
    suggest:
      "Use the field's own calls: bpf_spin_lock(), bpf_timer_*(), bpf_kptr_xchg() for __kptr, bpf_list_*() and bpf_rbtree_*() for lists and trees. Read or write the other members one by one instead of the struct as a whole, and take a kptr at its exact, constant offset.",
    bad: `struct val { struct bpf_spin_lock lock; int n; } *v = ...;
v->lock.val = 0;`,
    good: `bpf_spin_lock(&v->lock);
v->n++;
bpf_spin_unlock(&v->lock);`,
  },
  {
    code: "atomic-target",
    title: "Atomic operation on memory that has none",
    messages: [
      "BPF_ATOMIC loads from R{reg} {type} is not allowed",
      "BPF_ATOMIC stores into R{reg} {type} is not allowed",
      "BPF_ATOMIC uses invalid atomic opcode {op}",
      "invalid atomic operand size",
    ],
    rule: "Atomic operations work on 4 or 8 bytes of map values, stack and arena memory, not on packets, contexts or sockets.",
    suggest: "Do the arithmetic with a plain load and store, or keep the counter in a map value.",
    bad: "__sync_fetch_and_add((__u32 *)pkt, 1);",
    good: `__u32 *v = bpf_map_lookup_elem(&m, &key);
if (v)
    __sync_fetch_and_add(v, 1);`,
  },
];
