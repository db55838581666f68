/* Iterators over maps, programs, links, elements, tasks, files and cgroups; each prints what it sees. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define CORE __attribute__((preserve_access_index))

char LICENSE[] SEC("license") = "GPL";

typedef __u32 u32;
typedef __u64 u64;

struct seq_file;
struct bpf_iter_meta { struct seq_file *seq; u64 session_id; u64 seq_num; } CORE;
struct bpf_map { u32 id; u32 max_entries; u32 key_size; char name[16]; } CORE;
struct bpf_prog_aux { u32 id; char name[16]; } CORE;
struct bpf_prog { struct bpf_prog_aux *aux; } CORE;
struct bpf_link { u32 id; struct bpf_prog *prog; } CORE;
struct task_struct { int pid; int tgid; char comm[16]; struct task_struct *parent; } CORE;
struct file { void *private_data; } CORE;
struct kernfs_node { u64 id; } CORE;
struct cgroup { int level; struct kernfs_node *kn; } CORE;

struct bpf_iter__bpf_map { struct bpf_iter_meta *meta; struct bpf_map *map; };
struct bpf_iter__bpf_prog { struct bpf_iter_meta *meta; struct bpf_prog *prog; };
struct bpf_iter__bpf_link { struct bpf_iter_meta *meta; struct bpf_link *link; };
struct bpf_iter__bpf_map_elem { struct bpf_iter_meta *meta; struct bpf_map *map; void *key; void *value; };
struct bpf_iter__task { struct bpf_iter_meta *meta; struct task_struct *task; };
struct bpf_iter__task_file { struct bpf_iter_meta *meta; struct task_struct *task; u32 fd; struct file *file; };
struct bpf_iter__cgroup { struct bpf_iter_meta *meta; struct cgroup *cgroup; };

#define OUT(seq, fmt, args...)                                          \
	({                                                              \
		static const char text[] = fmt;                         \
		u64 words[] = { args };                                 \
		bpf_seq_printf(seq, text, sizeof(text), words, sizeof(words)); \
	})

/* What the tests tell the programs. */
u32 low_id;
int only_pid;
u32 repeat;
u32 retry;
u32 result;
u64 blob[128];

SEC("iter/bpf_map")
int maps(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;
	struct seq_file *seq = ctx->meta->seq;

	if (!map) {
		OUT(seq, "end %d\n", ctx->meta->seq_num);
		return 0;
	}
	if (map->id < low_id)
		return 0;
	OUT(seq, "%s %d %d\n", (u64)map->name, map->max_entries, map->key_size);
	return 0;
}

SEC("iter/bpf_prog")
int progs(struct bpf_iter__bpf_prog *ctx)
{
	struct bpf_prog *prog = ctx->prog;

	if (prog && prog->aux->id >= low_id)
		OUT(ctx->meta->seq, "%s\n", (u64)prog->aux->name);
	return 0;
}

SEC("iter/bpf_link")
int links(struct bpf_iter__bpf_link *ctx)
{
	struct bpf_link *link = ctx->link;

	if (link && link->id >= low_id)
		OUT(ctx->meta->seq, "%d by %s\n", link->id - low_id, (u64)link->prog->aux->name);
	return 0;
}

/* Prints each element, then doubles it. */
SEC("iter/bpf_map_elem")
int elems(struct bpf_iter__bpf_map_elem *ctx)
{
	u32 *key = ctx->key;
	u64 *value = ctx->value;

	if (!key || !value) {
		OUT(ctx->meta->seq, "end\n", 0);
		return 0;
	}
	OUT(ctx->meta->seq, "%d=%d\n", *key, *value);
	*value *= 2;
	return 0;
}

SEC("iter/task")
int tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task && (!only_pid || task->tgid == only_pid) && task->pid == task->tgid)
		OUT(ctx->meta->seq, "%d %s\n", task->tgid, (u64)task->comm);
	return 0;
}

u32 only_fd;
u32 files_seen;

SEC("iter/task_file")
int files(struct bpf_iter__task_file *ctx)
{
	if (ctx->task && ctx->file && ctx->task->tgid == only_pid && ctx->fd == only_fd)
		files_seen++;
	return 0;
}

SEC("iter/cgroup")
int cgroups(struct bpf_iter__cgroup *ctx)
{
	struct cgroup *cgroup = ctx->cgroup;

	if (!cgroup) {
		OUT(ctx->meta->seq, "end\n", 0);
		return 0;
	}
	OUT(ctx->meta->seq, "%d\n", cgroup->kn->id);
	return result != 0;
}

/* Writes `repeat` KiB for each map; asks for the first one again `retry` times. */
SEC("iter/bpf_map")
int bulk(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;

	if (!map || map->id < low_id)
		return 0;
	if (retry) {
		retry--;
		return 1;
	}
	blob[0] = map->id - low_id;
	for (u32 i = 0; i < 64; i++) {
		if (i >= repeat)
			break;
		bpf_seq_write(ctx->meta->seq, blob, sizeof(blob));
	}
	return 0;
}
