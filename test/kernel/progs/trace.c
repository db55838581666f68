/* What programs on a traced function see: arguments, their number, the result, the cookie. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct seen {
	__u64 count;
	__u64 first;
	__u64 third;
	long beyond;
	long ret_err;
	__u64 ret;
	__u64 cookie;
};

struct seen entry, exit_;
int replace;

static void look(void *ctx, struct seen *s)
{
	s->count = bpf_get_func_arg_cnt(ctx);
	bpf_get_func_arg(ctx, 0, &s->first);
	bpf_get_func_arg(ctx, 2, &s->third);
	s->beyond = bpf_get_func_arg(ctx, 3, &s->ret);
	s->ret_err = bpf_get_func_ret(ctx, &s->ret);
	s->cookie = bpf_get_attach_cookie(ctx);
}

SEC("fentry/bpf_fentry_test3")
int on_entry(void *ctx)
{
	look(ctx, &entry);
	return 0;
}

SEC("fexit/bpf_fentry_test3")
int on_exit(void *ctx)
{
	look(ctx, &exit_);
	return 0;
}

SEC("fmod_ret/bpf_modify_return_test")
int instead(void *ctx)
{
	return replace;
}
