/*
 * Loads each program of BPF objects by itself through libbpf, as veristat does, so that record_bpf.c sees what Linux is asked.
 *   load_alone FILE.o...
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void record_note(const char *json) __attribute__((weak));

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

static int sizeless(enum bpf_map_type type)
{
	return type == BPF_MAP_TYPE_SK_STORAGE || type == BPF_MAP_TYPE_TASK_STORAGE || type == BPF_MAP_TYPE_INODE_STORAGE ||
	       type == BPF_MAP_TYPE_CGROUP_STORAGE || type == BPF_MAP_TYPE_CGRP_STORAGE;
}

/* The program at `index`; 0 when there is none. */
static int load(const char *path, int index)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	struct bpf_program *prog;
	struct bpf_map *map;
	const char *name = NULL;
	int i = 0;

	if (!obj)
		return 0;
	bpf_object__for_each_program(prog, obj) {
		bpf_program__set_autoload(prog, i == index);
		if (i++ == index)
			name = bpf_program__name(prog);
	}
	if (!name) {
		bpf_object__close(obj);
		return 0;
	}
	bpf_object__for_each_map(map, obj) {
		bpf_map__set_pin_path(map, NULL);
		if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS)
			bpf_map__set_autocreate(map, false);
		else if (!bpf_map__max_entries(map) && !sizeless(bpf_map__type(map)))
			bpf_map__set_max_entries(map, 1);
	}
	char note[512];
	const char *base = strrchr(path, '/');

	snprintf(note, sizeof(note), "{\"file\":\"%s\",\"prog\":\"%s\"}", base ? base + 1 : path, name);
	if (record_note)
		record_note(note);
	bpf_object__load(obj);
	bpf_object__close(obj);
	return 1;
}

int main(int argc, char **argv)
{
	libbpf_set_print(quiet);
	for (int i = 1; i < argc; i++) {
		if (!fork()) {
			for (int n = 0; load(argv[i], n); n++)
				;
			return 0;
		}
		wait(NULL);
	}
	return 0;
}
