/* The kernel's test_verifier, one test after another, with notes for record_bpf.c of what its tables expect without privileges. */
#define main selftest_main
#include "test_verifier_of_kernel.c"
#undef main

void record_note(const char *json) __attribute__((weak));

/* What test_progs would define. */
void test__fail(void)
{
}

static void text(FILE *to, const char *s)
{
	fputc('"', to);
	for (; s && *s; s++)
		if (*s == '"' || *s == '\\')
			fprintf(to, "\\%c", *s);
		else if ((unsigned char)*s < 32)
			fprintf(to, "\\u%04x", *s);
		else
			fputc(*s, to);
	fputc('"', to);
}

/* argv[1]: the test to begin with. */
int main(int argc, char **argv)
{
	static char note[4000];
	int passes = 0, errors = 0;

	for (int i = argc > 1 ? atoi(argv[1]) : 0; i < ARRAY_SIZE(tests); i++) {
		struct bpf_test *t = &tests[i];

		/* a million instructions: minutes without CAP_PERFMON */
		if (!strncmp(t->descr, "scale: ", 7))
			continue;
		FILE *to = fmemopen(note, sizeof(note), "w");

		fprintf(to, "{\"test\":");
		text(to, t->descr);
		fprintf(to, ",\"slots\":%d,\"unpriv\":%s,\"unprivMsg\":", t->fill_helper ? 0 : probe_filter_length(t->insns), test_as_unpriv(t) && (!t->prog_type || t->prog_type == BPF_PROG_TYPE_SOCKET_FILTER ||
			t->prog_type == BPF_PROG_TYPE_CGROUP_SKB) ?
			((t->result_unpriv ? t->result_unpriv : t->result) == REJECT ? "\"reject\"" : "\"accept\"") : "null");
		text(to, t->errstr_unpriv ? t->errstr_unpriv : t->errstr);
		fprintf(to, "}");
		fclose(to);
		if (record_note)
			record_note(note);
		do_test_single(t, false, &passes, &errors);
	}
	fprintf(stderr, "%d passed, %d failed on Linux, %d skipped\n", passes, errors, skips);
	return 0;
}
