/* kprobe.multi by a pattern; a session that measures; addresses of functions by name. */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

extern const void bpf_fentry_test2 __ksym;
extern const void bpf_fentry_test3 __ksym;
extern _Bool bpf_session_is_return(void) __ksym;
extern __u64 *bpf_session_cookie(void) __ksym;

__u64 hits, hits2, hits3;
__u64 entries, returns, sum;

SEC("kprobe.multi/bpf_fentry_test?")
int many(struct pt_regs *ctx)
{
	__u64 ip = bpf_get_func_ip(ctx);

	hits++;
	if (ip == (__u64)&bpf_fentry_test2)
		hits2++;
	if (ip == (__u64)&bpf_fentry_test3)
		hits3++;
	return 0;
}

/* The entry leaves its first argument for the return; calls with 4 are of no interest. */
SEC("kprobe.session/bpf_fentry_test*")
int around(struct pt_regs *ctx)
{
	__u64 *cookie = bpf_session_cookie();

	if (!bpf_session_is_return()) {
		entries++;
		*cookie = PT_REGS_PARM1(ctx);
		return *cookie == 4;
	}
	returns++;
	sum += *cookie * 100 + PT_REGS_RC(ctx);
	return 0;
}
