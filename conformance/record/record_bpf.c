/*
 * An LD_PRELOAD library that writes down what a program asks of bpf(2) and what Linux says to its BPF programs.
 *
 * RECORD_BPF=FILE  one JSON object a line:
 *   {"map": N, "type", "key", "value", "max", "flags", "inner": N?, "btf": N?, "keyType", "valueType", "vmlinuxValueType", "extra": "N"}
 *   {"btf": N, "data": HEX}
 *   {"elem": MAP, "key": HEX, "value": HEX}        updates of array maps of plain values
 *   {"frozen": MAP}
 *   {"prog": N, "name", "type", "attachType", "flags", "license", "insns": HEX (fds of maps are 2^30 + their numbers), "progBtf", "funcInfo", "lineInfo",
 *    "attachBtfId", "attachProg", "fdArray": [["map"|"btf", N]], "caps": "all"|"noPerfmon", "errno", "insnsProcessed", "us", "msg", "note": {...}}
 * RECORD_NO_PERFMON=1  each program is also loaded with CAP_BPF and CAP_NET_ADMIN alone.
 * record_note(json) of the recorded program sets "note" of what follows; record_new_session() forgets what was loaded.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FDS = 4096, LOG_SIZE = 1 << 24, MAP_NUMBER = 1 << 30 };

static struct { char kind; int id; __u32 map_type, key, value; } objects[FDS];
static int next_id = 1;
static FILE *out;
static char note[4096];
static char *log_buf;

static long (*real_syscall)(long, ...);

static long bpf(int cmd, union bpf_attr *attr, unsigned size)
{
	return real_syscall(SYS_bpf, cmd, attr, size);
}

void record_note(const char *json)
{
	snprintf(note, sizeof(note), "%s", json);
}

static void hex(const void *data, size_t size)
{
	const unsigned char *p = data;

	fputc('"', out);
	for (size_t i = 0; i < size; i++)
		fprintf(out, "%02x", p[i]);
	fputc('"', out);
}

void record_string(FILE *to, const char *s)
{
	fputc('"', to);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(to, "\\%c", *s);
		else if ((unsigned char)*s < 32 || (unsigned char)*s > 126)
			fprintf(to, "\\u%04x", (unsigned char)*s);
		else
			fputc(*s, to);
	}
	fputc('"', to);
}

static int remember(long fd, char kind)
{
	if (fd < 0 || fd >= FDS)
		return 0;
	objects[fd].kind = kind;
	objects[fd].id = next_id;
	return next_id++;
}

static int id_of(int fd, char kind)
{
	return fd >= 0 && fd < FDS && objects[fd].kind == kind ? objects[fd].id : 0;
}

static void on_map(const union bpf_attr *a, long fd)
{
	int id = remember(fd, 'm');

	if (!id)
		return;
	objects[fd].map_type = a->map_type;
	objects[fd].key = a->key_size;
	objects[fd].value = a->value_size;
	fprintf(out, "{\"map\":%d,\"name\":", id);
	record_string(out, a->map_name);
	fprintf(out, ",\"type\":%u,\"key\":%u,\"value\":%u,\"max\":%u,\"flags\":%u,\"inner\":%d,\"btf\":%d,\"keyType\":%u,\"valueType\":%u,\"vmlinuxValueType\":%u,\"extra\":\"%llu\"}\n",
		a->map_type, a->key_size, a->value_size, a->max_entries, a->map_flags,
		a->inner_map_fd ? id_of(a->inner_map_fd, 'm') : 0, a->btf_fd ? id_of(a->btf_fd, 'b') : 0, a->btf_key_type_id, a->btf_value_type_id,
		a->btf_vmlinux_value_type_id, (unsigned long long)a->map_extra);
}

static void on_btf(const union bpf_attr *a, long fd)
{
	int id = remember(fd, 'b');

	if (!id)
		return;
	fprintf(out, "{\"btf\":%d,\"data\":", id);
	hex((void *)(uintptr_t)a->btf, a->btf_size);
	fprintf(out, "}\n");
}

static void on_elem(const union bpf_attr *a)
{
	int id = id_of(a->map_fd, 'm');

	if (!id || objects[a->map_fd].map_type != BPF_MAP_TYPE_ARRAY)
		return;
	fprintf(out, "{\"elem\":%d,\"key\":", id);
	hex((void *)(uintptr_t)a->key, objects[a->map_fd].key);
	fprintf(out, ",\"value\":");
	hex((void *)(uintptr_t)a->value, objects[a->map_fd].value);
	fprintf(out, "}\n");
}

static unsigned long long effective(unsigned long long caps)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	real_syscall(SYS_capget, &head, data);
	unsigned long long old = data[0].effective | (unsigned long long)data[1].effective << 32;
	data[0].effective = caps;
	data[1].effective = caps >> 32;
	real_syscall(SYS_capset, &head, data);
	return old;
}

/* The program's instructions, with numbers of maps for their fds. */
static void insns(const union bpf_attr *a)
{
	struct bpf_insn *copy = malloc(a->insn_cnt * sizeof(*copy));
	const int *fd_array = (void *)(uintptr_t)a->fd_array;
	int most = -1;

	memcpy(copy, (void *)(uintptr_t)a->insns, a->insn_cnt * sizeof(*copy));
	for (__u32 i = 0; i < a->insn_cnt; i++) {
		if (copy[i].code == (BPF_JMP | BPF_CALL) && copy[i].src_reg == BPF_PSEUDO_KFUNC_CALL && copy[i].off > most)
			most = copy[i].off;
		if (copy[i].code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		if (copy[i].src_reg == BPF_PSEUDO_MAP_FD || copy[i].src_reg == BPF_PSEUDO_MAP_VALUE)
			copy[i].imm = id_of(copy[i].imm, 'm') ? MAP_NUMBER + id_of(copy[i].imm, 'm') : copy[i].imm;
		if ((copy[i].src_reg == BPF_PSEUDO_MAP_IDX || copy[i].src_reg == BPF_PSEUDO_MAP_IDX_VALUE) && copy[i].imm > most)
			most = copy[i].imm;
		i++;
	}
	hex(copy, a->insn_cnt * sizeof(*copy));
	free(copy);
	fprintf(out, ",\"fdArray\":[");
	for (int i = 0; fd_array && i <= most; i++) {
		int fd = fd_array[i];
		int known = fd > 0 && fd < FDS && objects[fd].kind;

		fprintf(out, "%s[\"%s\",%d]", i ? "," : "", known ? (objects[fd].kind == 'm' ? "map" : "btf") : "none", known ? objects[fd].id : 0);
	}
	fprintf(out, "]");
}

static char *last_words(char *log)
{
	char *stats = strstr(log, "verification time ");
	char *end = stats ? stats : log + strlen(log);

	while (end > log && end[-1] == '\n')
		end--;
	/* without a time, "processed" is the line of statistics */
	for (;;) {
		char *line = end;

		while (line > log && line[-1] != '\n')
			line--;
		if (strncmp(line, "processed ", 10) && strncmp(line, "stack depth", 11))
			break;
		end = line;
		while (end > log && end[-1] == '\n')
			end--;
	}
	*end = 0;
	for (char *p = end; p > log; p--)
		if (p[-1] == '\n')
			return p;
	return log;
}

static void judge(const union bpf_attr *a, const char *caps, int id, unsigned size)
{
	union bpf_attr copy;

	memset(&copy, 0, sizeof(copy));
	memcpy(&copy, a, size < sizeof(copy) ? size : sizeof(copy));
	if (!log_buf)
		log_buf = malloc(LOG_SIZE);
	log_buf[0] = 0;
	copy.log_level = 4;
	copy.log_buf = (uintptr_t)log_buf;
	copy.log_size = LOG_SIZE;
	int less = !strcmp(caps, "noPerfmon");
	unsigned long long old = less ? effective(1ULL << CAP_BPF | 1ULL << CAP_NET_ADMIN) : 0;
	long fd = bpf(BPF_PROG_LOAD, &copy, sizeof(copy));
	int err = fd < 0 ? errno : 0;

	if (less)
		effective(old);
	if (fd >= 0)
		close(fd);
	unsigned long long time = 0, processed = 0;
	char *at = strstr(log_buf, "verification time ");

	if (at)
		sscanf(at, "verification time %llu", &time);
	at = strstr(log_buf, "\nprocessed ");
	if (at)
		sscanf(at, "\nprocessed %llu", &processed);
	else
		sscanf(log_buf, "processed %llu", &processed);
	fprintf(out, "{\"prog\":%d,\"name\":", id);
	record_string(out, a->prog_name);
	fprintf(out, ",\"type\":%u,\"attachType\":%u,\"flags\":%u,\"license\":", a->prog_type, a->expected_attach_type, a->prog_flags);
	record_string(out, (char *)(uintptr_t)a->license);
	fprintf(out, ",\"attachBtfId\":%u,\"attachProg\":%d,\"progBtf\":%d,\"funcInfo\":", a->attach_btf_id,
		a->attach_prog_fd ? id_of(a->attach_prog_fd, 'p') : 0, a->prog_btf_fd ? id_of(a->prog_btf_fd, 'b') : 0);
	hex((void *)(uintptr_t)a->func_info, a->func_info_cnt * a->func_info_rec_size);
	fprintf(out, ",\"funcInfoSize\":%u,\"lineInfo\":", a->func_info_rec_size);
	hex((void *)(uintptr_t)a->line_info, a->line_info_cnt * a->line_info_rec_size);
	fprintf(out, ",\"lineInfoSize\":%u,\"caps\":\"%s\",\"errno\":%d,\"insnsProcessed\":%llu,\"us\":%llu,\"msg\":", a->line_info_rec_size, caps, err,
		processed, time);
	record_string(out, err ? last_words(log_buf) : "");
	fprintf(out, ",\"note\":%s,\"insns\":", note[0] ? note : "{}");
	insns(a);
	fprintf(out, "}\n");
}

/* libbpf 1.5 moves fds to high numbers with dup3 and fcntl. */
static int moved(int from, int to)
{
	if (from >= 0 && from < FDS && to >= 0 && to < FDS)
		objects[to] = objects[from];
	return to;
}

long syscall(long nr, ...)
{
	va_list ap;
	long a[6];

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (!real_syscall) {
		real_syscall = dlsym(RTLD_NEXT, "syscall");
		if (getenv("RECORD_BPF"))
			out = fopen(getenv("RECORD_BPF"), "a");
	}
	if (nr == SYS_dup3)
		return moved(a[0], real_syscall(nr, a[0], a[1], a[2]));
	if (nr != SYS_bpf || !out)
		return real_syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	union bpf_attr *attr = (void *)a[1];
	int id = 0;

	if (a[0] == BPF_PROG_LOAD) {
		id = next_id++;
		judge(attr, "all", id, a[2]);
		if (getenv("RECORD_NO_PERFMON"))
			judge(attr, "noPerfmon", next_id++, a[2]);
	}
	/* what an fd was is over once another object has it */
	long fd = real_syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	int err = errno;

	switch (a[0]) {
	case BPF_MAP_CREATE:
		on_map(attr, fd);
		break;
	case BPF_BTF_LOAD:
		on_btf(attr, fd);
		break;
	case BPF_PROG_LOAD:
		if (fd >= 0 && fd < FDS) {
			objects[fd].kind = 'p';
			objects[fd].id = id;
		}
		break;
	case BPF_MAP_UPDATE_ELEM:
		if (!fd)
			on_elem(attr);
		break;
	case BPF_MAP_FREEZE:
		if (!fd && id_of(attr->map_fd, 'm'))
			fprintf(out, "{\"frozen\":%d}\n", id_of(attr->map_fd, 'm'));
		break;
	}
	errno = err;
	return fd;
}

int fcntl64(int fd, int cmd, ...)
{
	static int (*real)(int, int, long);
	va_list ap;

	va_start(ap, cmd);
	long arg = va_arg(ap, long);
	va_end(ap);
	if (!real)
		real = dlsym(RTLD_NEXT, "fcntl64");
	int ret = real(fd, cmd, arg);

	return cmd == 1030 /* F_DUPFD_CLOEXEC */ ? moved(fd, ret) : ret;
}

int fcntl(int fd, int cmd, ...)
{
	va_list ap;

	va_start(ap, cmd);
	long arg = va_arg(ap, long);
	va_end(ap);
	return fcntl64(fd, cmd, arg);
}
