/** Processes, credentials, namespaces and control groups. Names as in Linux 6.18; large kernel structures are cut down to the fields that programs read. */

export const TASK_TYPES = `
enum cgroup_subsys_id {
  cpuset_cgrp_id, cpu_cgrp_id, cpuacct_cgrp_id, io_cgrp_id, memory_cgrp_id, devices_cgrp_id, freezer_cgrp_id,
  net_cls_cgrp_id, perf_event_cgrp_id, net_prio_cgrp_id, hugetlb_cgrp_id, pids_cgrp_id, CGROUP_SUBSYS_COUNT,
};
enum pid_type {
  PIDTYPE_PID, PIDTYPE_TGID, PIDTYPE_PGID, PIDTYPE_SID, PIDTYPE_MAX,
};
enum bpf_cgroup_storage_type {
  BPF_CGROUP_STORAGE_SHARED, BPF_CGROUP_STORAGE_PERCPU, __BPF_CGROUP_STORAGE_MAX,
};
enum lockdown_reason {
  LOCKDOWN_NONE, LOCKDOWN_MODULE_SIGNATURE, LOCKDOWN_DEV_MEM, LOCKDOWN_EFI_TEST, LOCKDOWN_KEXEC,
  LOCKDOWN_HIBERNATION, LOCKDOWN_PCI_ACCESS, LOCKDOWN_IOPORT, LOCKDOWN_MSR, LOCKDOWN_ACPI_TABLES,
  LOCKDOWN_DEVICE_TREE, LOCKDOWN_PCMCIA_CIS, LOCKDOWN_TIOCSSERIAL, LOCKDOWN_MODULE_PARAMETERS, LOCKDOWN_MMIOTRACE,
  LOCKDOWN_DEBUGFS, LOCKDOWN_XMON_WR, LOCKDOWN_BPF_WRITE_USER, LOCKDOWN_DBG_WRITE_KERNEL,
  LOCKDOWN_RTAS_ERROR_INJECTION, LOCKDOWN_XEN_USER_ACTIONS, LOCKDOWN_INTEGRITY_MAX, LOCKDOWN_KCORE, LOCKDOWN_KPROBES,
  LOCKDOWN_BPF_READ_KERNEL, LOCKDOWN_DBG_READ_KERNEL, LOCKDOWN_PERF, LOCKDOWN_TRACEFS, LOCKDOWN_XMON_RW,
  LOCKDOWN_XFRM_SECRET, LOCKDOWN_CONFIDENTIALITY_MAX,
};
struct thread_info {
  unsigned long flags;
  unsigned long syscall_work;
  u32 status;
  u32 cpu;
};
struct cpumask {
  unsigned long bits[4];
};
typedef struct cpumask cpumask_t;
typedef struct {
  unsigned long sig[1];
} sigset_t;
struct sigpending {
  struct list_head list;
  sigset_t signal;
};
struct seccomp {
  int mode;
  atomic_t filter_count;
  struct seccomp_filter *filter;
};
typedef struct raw_spinlock raw_spinlock_t;
struct task_io_accounting {
  u64 rchar;
  u64 wchar;
  u64 syscr;
  u64 syscw;
  u64 read_bytes;
  u64 write_bytes;
  u64 cancelled_write_bytes;
};
struct task_struct {
  struct thread_info thread_info;
  unsigned int __state;
  void *stack;
  refcount_t usage;
  unsigned int flags;
  unsigned int ptrace;
  int on_cpu;
  int recent_used_cpu;
  int wake_cpu;
  int on_rq;
  int prio;
  int static_prio;
  int normal_prio;
  unsigned int rt_priority;
  unsigned int policy;
  int nr_cpus_allowed;
  const cpumask_t *cpus_ptr;
  cpumask_t *user_cpus_ptr;
  cpumask_t cpus_mask;
  struct list_head tasks;
  struct mm_struct *mm;
  struct mm_struct *active_mm;
  int exit_state;
  int exit_code;
  int exit_signal;
  unsigned int personality;
  unsigned int in_execve : 1;
  unsigned long atomic_flags;
  pid_t pid;
  pid_t tgid;
  unsigned long stack_canary;
  struct task_struct *real_parent;
  struct task_struct *parent;
  struct list_head children;
  struct list_head sibling;
  struct task_struct *group_leader;
  struct list_head ptraced;
  struct pid *thread_pid;
  struct hlist_node pid_links[4];
  struct list_head thread_node;
  u64 utime;
  u64 stime;
  unsigned long nvcsw;
  unsigned long nivcsw;
  u64 start_time;
  u64 start_boottime;
  unsigned long min_flt;
  unsigned long maj_flt;
  const struct cred *ptracer_cred;
  const struct cred *real_cred;
  const struct cred *cred;
  char comm[16];
  struct nameidata *nameidata;
  struct fs_struct *fs;
  struct files_struct *files;
  struct nsproxy *nsproxy;
  struct signal_struct *signal;
  struct sighand_struct *sighand;
  sigset_t blocked;
  sigset_t real_blocked;
  struct sigpending pending;
  struct callback_head *task_works;
  kuid_t loginuid;
  unsigned int sessionid;
  struct seccomp seccomp;
  u64 parent_exec_id;
  u64 self_exec_id;
  spinlock_t alloc_lock;
  raw_spinlock_t pi_lock;
  void *journal_info;
  struct bio_list *bio_list;
  struct blk_plug *plug;
  struct io_context *io_context;
  struct task_io_accounting ioac;
  unsigned int psi_flags;
  struct css_set *cgroups;
  struct list_head cg_list;
  struct perf_event_context *perf_event_ctxp;
  struct page_frag task_frag;
  unsigned long dirty_paused_when;
  unsigned long trace_recursion;
  struct callback_head rcu;
  refcount_t rcu_users;
  void *security;
  struct bpf_local_storage *bpf_storage;
  struct bpf_run_ctx *bpf_ctx;
};
struct maple_tree {
  union {
    spinlock_t ma_lock;
  };
  unsigned int ma_flags;
  void *ma_root;
};
typedef unsigned long pgdval_t;
typedef struct {
  pgdval_t pgd;
} pgd_t;
struct optimistic_spin_queue {
  atomic_t tail;
};
struct rw_semaphore {
  atomic_long_t count;
  atomic_long_t owner;
  struct optimistic_spin_queue osq;
  raw_spinlock_t wait_lock;
  struct list_head wait_list;
};
typedef unsigned long vm_flags_t;
struct seqcount {
  unsigned int sequence;
};
typedef struct seqcount seqcount_t;
struct percpu_counter {
  raw_spinlock_t lock;
  s64 count;
  struct list_head list;
  s32 *counters;
};
typedef struct {
  unsigned long __mm_flags[1];
} mm_flags_t;
struct mm_struct {
  struct {
    struct {
      atomic_t mm_count;
    };
    struct maple_tree mm_mt;
    unsigned long mmap_base;
    unsigned long task_size;
    pgd_t *pgd;
    atomic_t membarrier_state;
    atomic_t mm_users;
    atomic_long_t pgtables_bytes;
    int map_count;
    spinlock_t page_table_lock;
    struct rw_semaphore mmap_lock;
    struct list_head mmlist;
    unsigned long hiwater_rss;
    unsigned long hiwater_vm;
    unsigned long total_vm;
    unsigned long locked_vm;
    atomic64_t pinned_vm;
    unsigned long data_vm;
    unsigned long exec_vm;
    unsigned long stack_vm;
    vm_flags_t def_flags;
    seqcount_t write_protect_seq;
    spinlock_t arg_lock;
    unsigned long start_code;
    unsigned long end_code;
    unsigned long start_data;
    unsigned long end_data;
    unsigned long start_brk;
    unsigned long brk;
    unsigned long start_stack;
    unsigned long arg_start;
    unsigned long arg_end;
    unsigned long env_start;
    unsigned long env_end;
    unsigned long saved_auxv[56];
    struct percpu_counter rss_stat[4];
    struct linux_binfmt *binfmt;
    mm_flags_t flags;
    struct task_struct *owner;
    struct user_namespace *user_ns;
    struct file *exe_file;
  };
};
typedef unsigned long pgprotval_t;
struct pgprot {
  pgprotval_t pgprot;
};
typedef struct pgprot pgprot_t;
struct vm_area_struct {
  union {
    struct {
      unsigned long vm_start;
      unsigned long vm_end;
    };
  };
  struct mm_struct *vm_mm;
  pgprot_t vm_page_prot;
  union {
    const vm_flags_t vm_flags;
    vm_flags_t __vm_flags;
  };
  const struct vm_operations_struct *vm_ops;
  unsigned long vm_pgoff;
  struct file *vm_file;
  void *vm_private_data;
};
struct rlimit {
  __kernel_ulong_t rlim_cur;
  __kernel_ulong_t rlim_max;
};
struct mutex {
  atomic_long_t owner;
  raw_spinlock_t wait_lock;
  struct optimistic_spin_queue osq;
  struct list_head wait_list;
};
struct signal_struct {
  refcount_t sigcnt;
  atomic_t live;
  int nr_threads;
  struct list_head thread_head;
  wait_queue_head_t wait_chldexit;
  struct task_struct *curr_target;
  struct sigpending shared_pending;
  int group_exit_code;
  int notify_count;
  struct task_struct *group_exec_task;
  int group_stop_count;
  unsigned int flags;
  struct pid *pids[4];
  struct pid *tty_old_pgrp;
  int leader;
  struct tty_struct *tty;
  u64 utime;
  u64 stime;
  struct rlimit rlim[16];
  short oom_score_adj;
  short oom_score_adj_min;
  struct mm_struct *oom_mm;
  struct mutex cred_guard_mutex;
};
struct sighand_struct {
  spinlock_t siglock;
  refcount_t count;
  wait_queue_head_t signalfd_wqh;
};
typedef struct {
  u64 val;
} kernel_cap_t;
struct cred {
  atomic_long_t usage;
  kuid_t uid;
  kgid_t gid;
  kuid_t suid;
  kgid_t sgid;
  kuid_t euid;
  kgid_t egid;
  kuid_t fsuid;
  kgid_t fsgid;
  unsigned int securebits;
  kernel_cap_t cap_inheritable;
  kernel_cap_t cap_permitted;
  kernel_cap_t cap_effective;
  kernel_cap_t cap_bset;
  kernel_cap_t cap_ambient;
  unsigned char jit_keyring;
  struct key *session_keyring;
  struct key *process_keyring;
  struct key *thread_keyring;
  struct key *request_key_auth;
  void *security;
  struct user_struct *user;
  struct user_namespace *user_ns;
  struct ucounts *ucounts;
  struct group_info *group_info;
  union {
    int non_rcu;
    struct callback_head rcu;
  };
};
struct nsproxy {
  refcount_t count;
  struct uts_namespace *uts_ns;
  struct ipc_namespace *ipc_ns;
  struct mnt_namespace *mnt_ns;
  struct pid_namespace *pid_ns_for_children;
  struct net *net_ns;
  struct time_namespace *time_ns;
  struct time_namespace *time_ns_for_children;
  struct cgroup_namespace *cgroup_ns;
};
struct hlist_head {
  struct hlist_node *first;
};
struct upid {
  int nr;
  struct pid_namespace *ns;
};
struct pid {
  refcount_t count;
  unsigned int level;
  spinlock_t lock;
  struct {
    u64 ino;
    struct rb_node pidfs_node;
    struct dentry *stashed;
    struct pidfs_attr *attr;
  };
  struct hlist_head tasks[4];
  struct hlist_head inodes;
  wait_queue_head_t wait_pidfd;
  struct callback_head rcu;
  struct upid numbers[0];
};
struct pid_namespace {
  struct callback_head rcu;
  unsigned int pid_allocated;
  struct task_struct *child_reaper;
  unsigned int level;
  struct pid_namespace *parent;
  struct user_namespace *user_ns;
  struct ns_common ns;
};
struct user_namespace {
  struct user_namespace *parent;
  int level;
  kuid_t owner;
  kgid_t group;
  struct ns_common ns;
  unsigned long flags;
};
struct new_utsname {
  char sysname[65];
  char nodename[65];
  char release[65];
  char version[65];
  char machine[65];
  char domainname[65];
};
struct uts_namespace {
  struct new_utsname name;
  struct user_namespace *user_ns;
  struct ns_common ns;
};
struct seqcount_spinlock {
  seqcount_t seqcount;
};
typedef struct seqcount_spinlock seqcount_spinlock_t;
typedef struct {
  seqcount_spinlock_t seqcount;
  spinlock_t lock;
} seqlock_t;
struct fs_struct {
  int users;
  seqlock_t seq;
  int umask;
  int in_exec;
  struct path root;
  struct path pwd;
};
struct fdtable {
  unsigned int max_fds;
  struct file **fd;
  unsigned long *close_on_exec;
  unsigned long *open_fds;
  unsigned long *full_fds_bits;
  struct callback_head rcu;
};
struct files_struct {
  atomic_t count;
  bool resize_in_progress;
  struct fdtable *fdt;
  struct fdtable fdtab;
  spinlock_t file_lock;
  unsigned int next_fd;
};
struct percpu_ref {
  unsigned long percpu_count_ptr;
  struct percpu_ref_data *data;
};
struct cgroup_subsys_state {
  struct cgroup *cgroup;
  struct cgroup_subsys *ss;
  struct percpu_ref refcnt;
  struct list_head sibling;
  struct list_head children;
  int id;
  unsigned int flags;
  u64 serial_nr;
  atomic_t online_cnt;
  struct cgroup_subsys_state *parent;
};
struct cgroup_file {
  struct kernfs_node *kn;
  unsigned long notified_at;
  struct timer_list notify_timer;
};
struct cgroup_bpf {
  struct bpf_prog_array *effective[38];
  struct list_head storages;
  struct bpf_prog_array *inactive;
  struct percpu_ref refcnt;
};
struct cgroup_freezer_state {
  bool freeze;
  bool e_freeze;
  int nr_frozen_descendants;
  int nr_frozen_tasks;
  seqcount_spinlock_t freeze_seq;
  u64 freeze_start_nsec;
  u64 frozen_nsec;
};
struct cgroup {
  struct cgroup_subsys_state self;
  unsigned long flags;
  int level;
  int max_depth;
  int nr_descendants;
  struct kernfs_node *kn;
  struct cgroup_file procs_file;
  struct cgroup_file events_file;
  u16 subtree_control;
  u16 subtree_ss_mask;
  u16 old_subtree_control;
  u16 old_subtree_ss_mask;
  struct cgroup_subsys_state *subsys[12];
  struct cgroup_root *root;
  struct list_head cset_links;
  struct cgroup *dom_cgrp;
  struct cgroup *old_dom_cgrp;
  struct cgroup_bpf bpf;
  struct cgroup_freezer_state freezer;
  struct cgroup *ancestors[0];
};
struct cgroup_root {
  unsigned int subsys_mask;
  int hierarchy_id;
  struct cgroup cgrp;
  atomic_t nr_cgrps;
  unsigned int flags;
  char release_agent_path[4096];
  char name[64];
};
struct css_set {
  struct cgroup_subsys_state *subsys[12];
  refcount_t refcount;
  struct css_set *dom_cset;
  struct cgroup *dfl_cgrp;
  int nr_tasks;
  struct list_head tasks;
  struct list_head mg_tasks;
  struct list_head dying_tasks;
  struct list_head cgrp_links;
};
struct kernfs_node {
  atomic_t count;
  atomic_t active;
  struct kernfs_node *__parent;
  const char *name;
  const void *ns;
  unsigned int hash;
  unsigned short flags;
  umode_t mode;
  u64 id;
  void *priv;
};
struct linux_binprm {
  struct vm_area_struct *vma;
  unsigned long vma_pages;
  unsigned long argmin;
  struct mm_struct *mm;
  unsigned long p;
  unsigned int have_execfd : 1;
  unsigned int execfd_creds : 1;
  unsigned int secureexec : 1;
  unsigned int point_of_no_return : 1;
  struct file *executable;
  struct file *interpreter;
  struct file *file;
  struct cred *cred;
  int unsafe;
  unsigned int per_clear;
  int argc;
  int envc;
  const char *filename;
  const char *interp;
  const char *fdpath;
  unsigned int interp_flags;
  int execfd;
  unsigned long exec;
  struct rlimit rlim_stack;
  char buf[256];
};
struct bpf_cpumask {
  cpumask_t cpumask;
  refcount_t usage;
};
enum module_state {
  MODULE_STATE_LIVE, MODULE_STATE_COMING, MODULE_STATE_GOING, MODULE_STATE_UNFORMED,
};
struct module {
  enum module_state state;
  struct list_head list;
  char name[56];
  const char *srcversion;
  unsigned int num_syms;
  unsigned int num_exentries;
  int (*init)(void);
  unsigned long taints;
};
struct rt_bandwidth {
  raw_spinlock_t rt_runtime_lock;
  ktime_t rt_period;
  u64 rt_runtime;
  struct hrtimer rt_period_timer;
  unsigned int rt_period_active;
};
struct scx_task_group {

};
struct cfs_bandwidth {
  raw_spinlock_t lock;
  ktime_t period;
  u64 quota;
  u64 runtime;
  u64 burst;
  u64 runtime_snap;
  s64 hierarchical_quota;
  u8 idle;
  u8 period_active;
  u8 slack_started;
  struct hrtimer period_timer;
  struct hrtimer slack_timer;
  struct list_head throttled_cfs_rq;
  int nr_periods;
  int nr_throttled;
  int nr_burst;
  u64 throttled_time;
  u64 burst_time;
};
struct task_group {
  struct cgroup_subsys_state css;
  int idle;
  struct sched_entity **se;
  struct cfs_rq **cfs_rq;
  unsigned long shares;
  atomic_long_t load_avg;
  struct sched_rt_entity **rt_se;
  struct rt_rq **rt_rq;
  struct rt_bandwidth rt_bandwidth;
  struct scx_task_group scx;
  struct callback_head rcu;
  struct list_head list;
  struct task_group *parent;
  struct list_head siblings;
  struct list_head children;
  struct autogroup *autogroup;
  struct cfs_bandwidth cfs_bandwidth;
};
struct rq {
  raw_spinlock_t __lock;
  unsigned int nr_running;
  u64 nr_switches;
  union {
    struct task_struct *curr;
  };
  struct task_struct *idle;
  u64 clock;
  int cpu;
};
enum perf_event_state {
  PERF_EVENT_STATE_DEAD = -5, PERF_EVENT_STATE_REVOKED, PERF_EVENT_STATE_EXIT, PERF_EVENT_STATE_ERROR,
  PERF_EVENT_STATE_OFF, PERF_EVENT_STATE_INACTIVE, PERF_EVENT_STATE_ACTIVE,
};
struct perf_event_attr {
  __u32 type;
  __u32 size;
  __u64 config;
  union {
    __u64 sample_period;
    __u64 sample_freq;
  };
  __u64 sample_type;
  __u64 read_format;
  __u64 disabled : 1;
  __u64 inherit : 1;
  __u64 pinned : 1;
  __u64 exclusive : 1;
  __u64 exclude_user : 1;
  __u64 exclude_kernel : 1;
  __u64 exclude_hv : 1;
  __u64 exclude_idle : 1;
  __u64 mmap : 1;
  __u64 comm : 1;
  __u64 freq : 1;
  __u64 inherit_stat : 1;
  __u64 enable_on_exec : 1;
  __u64 task : 1;
  __u64 watermark : 1;
  __u64 precise_ip : 2;
  __u64 mmap_data : 1;
  __u64 sample_id_all : 1;
  __u64 exclude_host : 1;
  __u64 exclude_guest : 1;
  __u64 exclude_callchain_kernel : 1;
  __u64 exclude_callchain_user : 1;
  __u64 mmap2 : 1;
  __u64 comm_exec : 1;
  __u64 use_clockid : 1;
  __u64 context_switch : 1;
  __u64 write_backward : 1;
  __u64 namespaces : 1;
  __u64 ksymbol : 1;
  __u64 bpf_event : 1;
  __u64 aux_output : 1;
  __u64 cgroup : 1;
  __u64 text_poke : 1;
  __u64 build_id : 1;
  __u64 inherit_thread : 1;
  __u64 remove_on_exec : 1;
  __u64 sigtrap : 1;
  __u64 __reserved_1 : 26;
  union {
    __u32 wakeup_events;
    __u32 wakeup_watermark;
  };
  __u32 bp_type;
  union {
    __u64 bp_addr;
    __u64 kprobe_func;
    __u64 uprobe_path;
    __u64 config1;
  };
  union {
    __u64 bp_len;
    __u64 kprobe_addr;
    __u64 probe_offset;
    __u64 config2;
  };
  __u64 branch_sample_type;
  __u64 sample_regs_user;
  __u32 sample_stack_user;
  __s32 clockid;
  __u64 sample_regs_intr;
  __u32 aux_watermark;
  __u16 sample_max_stack;
  __u16 __reserved_2;
  __u32 aux_sample_size;
  union {
    __u32 aux_action;
    struct {
      __u32 aux_start_paused : 1;
      __u32 aux_pause : 1;
      __u32 aux_resume : 1;
      __u32 __reserved_3 : 29;
    };
  };
  __u64 sig_data;
  __u64 config3;
};
struct perf_event {
  enum perf_event_state state;
  u64 total_time_enabled;
  u64 total_time_running;
  struct perf_event_attr attr;
  int oncpu;
  int cpu;
  unsigned int pending_kill;
  struct pid_namespace *ns;
  u64 id;
};
struct cgroup_namespace {
  struct ns_common ns;
  struct user_namespace *user_ns;
  struct ucounts *ucounts;
  struct css_set *root_cset;
};
struct xarray {
  spinlock_t xa_lock;
  gfp_t xa_flags;
  void *xa_head;
};
struct idr {
  struct xarray idr_rt;
  unsigned int idr_base;
  unsigned int idr_next;
};
typedef u32 (*rht_hashfn_t)(const void *, u32, u32);
typedef u32 (*rht_obj_hashfn_t)(const void *, u32, u32);
typedef int (*rht_obj_cmpfn_t)(struct rhashtable_compare_arg *, const void *);
struct rhashtable_params {
  u16 nelem_hint;
  u16 key_len;
  u16 key_offset;
  u16 head_offset;
  unsigned int max_size;
  u16 min_size;
  bool automatic_shrinking;
  rht_hashfn_t hashfn;
  rht_obj_hashfn_t obj_hashfn;
  rht_obj_cmpfn_t obj_cmpfn;
};
typedef void (*work_func_t)(struct work_struct *);
struct work_struct {
  atomic_long_t data;
  struct list_head entry;
  work_func_t func;
};
struct rhashtable {
  struct bucket_table *tbl;
  unsigned int key_len;
  unsigned int max_elems;
  struct rhashtable_params p;
  bool rhlist;
  struct work_struct run_work;
  struct mutex mutex;
  spinlock_t lock;
  atomic_t nelems;
};
struct ipc_ids {
  int in_use;
  unsigned short seq;
  struct rw_semaphore rwsem;
  struct idr ipcs_idr;
  int max_idx;
  int last_idx;
  int next_id;
  struct rhashtable key_ht;
};
typedef int (*notifier_fn_t)(struct notifier_block *, unsigned long, void *);
struct notifier_block {
  notifier_fn_t notifier_call;
  struct notifier_block *next;
  int priority;
};
struct ctl_table_header {
  union {
    struct {
      const struct ctl_table *ctl_table;
      int ctl_table_size;
      int used;
      int count;
      int nreg;
    };
    struct callback_head rcu;
  };
  struct completion *unregistering;
  const struct ctl_table *ctl_table_arg;
  struct ctl_table_root *root;
  struct ctl_table_set *set;
  struct ctl_dir *parent;
  struct ctl_node *node;
  struct hlist_head inodes;
  enum { SYSCTL_TABLE_TYPE_DEFAULT = 0, SYSCTL_TABLE_TYPE_PERMANENTLY_EMPTY = 1 } type;
};
struct ctl_dir {
  struct ctl_table_header header;
  struct rb_root root;
};
struct ctl_table_set {
  int (*is_seen)(struct ctl_table_set *);
  struct ctl_dir dir;
};
struct ipc_namespace {
  struct ipc_ids ids[3];
  int sem_ctls[4];
  int used_sems;
  unsigned int msg_ctlmax;
  unsigned int msg_ctlmnb;
  unsigned int msg_ctlmni;
  struct percpu_counter percpu_msg_bytes;
  struct percpu_counter percpu_msg_hdrs;
  size_t shm_ctlmax;
  size_t shm_ctlall;
  unsigned long shm_tot;
  int shm_ctlmni;
  int shm_rmid_forced;
  struct notifier_block ipcns_nb;
  struct vfsmount *mq_mnt;
  unsigned int mq_queues_count;
  unsigned int mq_queues_max;
  unsigned int mq_msg_max;
  unsigned int mq_msgsize_max;
  unsigned int mq_msg_default;
  unsigned int mq_msgsize_default;
  struct ctl_table_set mq_set;
  struct ctl_table_header *mq_sysctls;
  struct ctl_table_set ipc_set;
  struct ctl_table_header *ipc_sysctls;
  struct user_namespace *user_ns;
  struct ucounts *ucounts;
  struct llist_node mnt_llist;
  struct ns_common ns;
};
struct mnt_namespace {
  struct ns_common ns;
  struct mount *root;
  struct {
    struct rb_root mounts;
    struct rb_node *mnt_last_node;
    struct rb_node *mnt_first_node;
  };
  struct user_namespace *user_ns;
  struct ucounts *ucounts;
  wait_queue_head_t poll;
  u64 seq_origin;
  u64 event;
  __u32 n_fsnotify_mask;
  struct fsnotify_mark_connector *n_fsnotify_marks;
  unsigned int nr_mounts;
  unsigned int pending_mounts;
  refcount_t passive;
};
struct timespec64 {
  time64_t tv_sec;
  long tv_nsec;
};
struct timens_offsets {
  struct timespec64 monotonic;
  struct timespec64 boottime;
};
struct time_namespace {
  struct user_namespace *user_ns;
  struct ucounts *ucounts;
  struct ns_common ns;
  struct timens_offsets offsets;
  struct page *vvar_page;
  bool frozen_offsets;
};
`;
