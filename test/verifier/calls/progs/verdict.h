/* What the verifier must say to a program; the tests read it from the BTF. */
#include <linux/bpf.h>
#include <linux/version.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
/* Younger than the header. */
struct bpf_list_head { __u64 :64; __u64 :64; } __attribute__((aligned(8)));
struct bpf_list_node { __u64 :64; __u64 :64; __u64 :64; } __attribute__((aligned(8)));
struct bpf_rb_root { __u64 :64; __u64 :64; } __attribute__((aligned(8)));
struct bpf_rb_node { __u64 :64; __u64 :64; __u64 :64; __u64 :64; } __attribute__((aligned(8)));
struct bpf_refcount { __u32 :32; } __attribute__((aligned(4)));
struct bpf_iter_num { __u64 __opaque[1]; } __attribute__((aligned(8)));
#endif

/* The words are part of the verifier's last line. */
#define REFUSED(words) __attribute__((btf_decl_tag("refused:" words)))

#define __contains(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))
#define core __attribute__((preserve_access_index))

#define private(name) SEC(".bss." #name) __attribute__((aligned(8)))
#define opaque(x) asm volatile("" : "+r"(x))

char LICENSE[] SEC("license") = "GPL";
