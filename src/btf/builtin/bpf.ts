/** BPF's own objects, iterators and links. Names as in Linux 6.18; large kernel structures are cut down to the fields that programs read. */

export const BPF_TYPES = `
enum bpf_dynptr_type {
  BPF_DYNPTR_TYPE_INVALID, BPF_DYNPTR_TYPE_LOCAL, BPF_DYNPTR_TYPE_RINGBUF, BPF_DYNPTR_TYPE_SKB, BPF_DYNPTR_TYPE_XDP,
  BPF_DYNPTR_TYPE_SKB_META,
};
enum bpf_reg_type {
  NOT_INIT, SCALAR_VALUE, PTR_TO_CTX, CONST_PTR_TO_MAP, PTR_TO_MAP_VALUE, PTR_TO_MAP_KEY, PTR_TO_STACK,
  PTR_TO_PACKET_META, PTR_TO_PACKET, PTR_TO_PACKET_END, PTR_TO_FLOW_KEYS, PTR_TO_SOCKET, PTR_TO_SOCK_COMMON,
  PTR_TO_TCP_SOCK, PTR_TO_TP_BUFFER, PTR_TO_XDP_SOCK, PTR_TO_BTF_ID, PTR_TO_MEM, PTR_TO_ARENA, PTR_TO_BUF,
  PTR_TO_FUNC, CONST_PTR_TO_DYNPTR, __BPF_REG_TYPE_MAX, PTR_TO_MAP_VALUE_OR_NULL = 260, PTR_TO_SOCKET_OR_NULL = 267,
  PTR_TO_SOCK_COMMON_OR_NULL, PTR_TO_TCP_SOCK_OR_NULL, PTR_TO_BTF_ID_OR_NULL = 272, __BPF_REG_TYPE_LIMIT = 268435455,
};
enum bpf_stream_id {
  BPF_STDOUT = 1, BPF_STDERR,
};
struct bpf_map {
  const struct bpf_map_ops *ops;
  struct bpf_map *inner_map_meta;
  enum bpf_map_type map_type;
  u32 key_size;
  u32 value_size;
  u32 max_entries;
  u64 map_extra;
  u32 map_flags;
  u32 id;
  int numa_node;
  u32 btf_key_type_id;
  u32 btf_value_type_id;
  u32 btf_vmlinux_value_type_id;
  struct btf *btf;
  char name[16];
  atomic64_t refcnt;
  atomic64_t usercnt;
  atomic64_t writecnt;
  bool bypass_spec_v1;
  bool frozen;
  atomic64_t sleepable_refcnt;
  s64 *elem_count;
};
struct bpf_prog {
  u16 pages;
  u16 jited : 1;
  u16 jit_requested : 1;
  u16 gpl_compatible : 1;
  u16 cb_access : 1;
  u16 dst_needed : 1;
  u16 blinded : 1;
  u16 is_func : 1;
  u16 kprobe_override : 1;
  u16 has_callchain_buf : 1;
  u16 enforce_expected_attach_type : 1;
  u16 call_get_stack : 1;
  u16 call_get_func_ip : 1;
  u16 sleepable : 1;
  enum bpf_prog_type type;
  enum bpf_attach_type expected_attach_type;
  u32 len;
  u32 jited_len;
  union {
    u8 tag[8];
  };
  struct bpf_prog_stats *stats;
  int *active;
  unsigned int (*bpf_func)(const void *, const struct bpf_insn *);
  struct bpf_prog_aux *aux;
  struct sock_fprog_kern *orig_prog;
};
struct bpf_prog_aux {
  atomic64_t refcnt;
  u32 used_map_cnt;
  u32 used_btf_cnt;
  u32 max_ctx_offset;
  u32 max_pkt_offset;
  u32 max_tp_access;
  u32 stack_depth;
  u32 id;
  u32 func_cnt;
  u32 real_func_cnt;
  u32 func_idx;
  u32 attach_btf_id;
  struct bpf_prog *dst_prog;
  struct bpf_trampoline *dst_trampoline;
  bool verifier_zext;
  bool dev_bound;
  bool offload_requested;
  bool attach_btf_trace;
  bool attach_tracing_prog;
  bool func_proto_unreliable;
  bool tail_call_reachable;
  bool xdp_has_frags;
  const struct btf_type *attach_func_proto;
  const char *attach_func_name;
  struct bpf_prog **func;
  struct user_struct *user;
  u64 load_time;
  u32 verified_insns;
  int cgroup_atype;
  struct bpf_map *cgroup_storage[2];
  char name[16];
  struct btf *btf;
};
struct bpf_link {
  atomic64_t refcnt;
  u32 id;
  enum bpf_link_type type;
  const struct bpf_link_ops *ops;
  struct bpf_prog *prog;
  enum bpf_attach_type attach_type;
};
struct bpf_iter_meta {
  union {
    struct seq_file *seq;
  };
  u64 session_id;
  u64 seq_num;
};
struct bpf_iter__task {
  union {
    struct bpf_iter_meta *meta;
  };
  union {
    struct task_struct *task;
  };
};
struct bpf_iter__task_file {
  union {
    struct bpf_iter_meta *meta;
  };
  union {
    struct task_struct *task;
  };
  u32 fd;
  union {
    struct file *file;
  };
};
struct bpf_iter__task_vma {
  union {
    struct bpf_iter_meta *meta;
  };
  union {
    struct task_struct *task;
  };
  union {
    struct vm_area_struct *vma;
  };
};
struct bpf_iter__bpf_map {
  union {
    struct bpf_iter_meta *meta;
  };
  union {
    struct bpf_map *map;
  };
};
struct bpf_iter__bpf_map_elem {
  union {
    struct bpf_iter_meta *meta;
  };
  union {
    struct bpf_map *map;
  };
  union {
    void *key;
  };
  union {
    void *value;
  };
};
struct bpf_iter__bpf_prog {
  union {
    struct bpf_iter_meta *meta;
  };
  union {
    struct bpf_prog *prog;
  };
};
struct bpf_iter__bpf_link {
  union {
    struct bpf_iter_meta *meta;
  };
  union {
    struct bpf_link *link;
  };
};
struct bpf_iter__cgroup {
  union {
    struct bpf_iter_meta *meta;
  };
  union {
    struct cgroup *cgroup;
  };
};
struct bpf_iter__tcp {
  union {
    struct bpf_iter_meta *meta;
  };
  union {
    struct sock_common *sk_common;
  };
  uid_t uid;
};
struct bpf_iter__udp {
  union {
    struct bpf_iter_meta *meta;
  };
  union {
    struct udp_sock *udp_sk;
  };
  uid_t uid;
  int bucket __attribute__((aligned(8)));
};
struct bpf_iter__unix {
  union {
    struct bpf_iter_meta *meta;
  };
  union {
    struct unix_sock *unix_sk;
  };
  uid_t uid;
};
struct bpf_iter__netlink {
  union {
    struct bpf_iter_meta *meta;
  };
  union {
    struct netlink_sock *sk;
  };
};
struct bpf_iter__ipv6_route {
  union {
    struct bpf_iter_meta *meta;
  };
  union {
    struct fib6_info *rt;
  };
};
struct bpf_iter__sockmap {
  union {
    struct bpf_iter_meta *meta;
  };
  union {
    struct bpf_map *map;
  };
  union {
    void *key;
  };
  union {
    struct sock *sk;
  };
};
struct bpf_iter__bpf_sk_storage_map {
  union {
    struct bpf_iter_meta *meta;
  };
  union {
    struct bpf_map *map;
  };
  union {
    struct sock *sk;
  };
  union {
    void *value;
  };
};
struct bpf_iter__ksym {
  union {
    struct bpf_iter_meta *meta;
  };
  union {
    struct kallsym_iter *ksym;
  };
};
struct bpf_iter__kmem_cache {
  union {
    struct bpf_iter_meta *meta;
  };
  union {
    struct kmem_cache *s;
  };
};
struct bpf_iter__dmabuf {
  union {
    struct bpf_iter_meta *meta;
  };
  union {
    struct dma_buf *dmabuf;
  };
};
struct bpf_sock_addr_kern {
  struct sock *sk;
  struct sockaddr *uaddr;
  u64 tmp_reg;
  void *t_ctx;
  u32 uaddrlen;
};
struct bpf_sock_ops_kern {
  struct sock *sk;
  union {
    u32 args[4];
    u32 reply;
    u32 replylong[4];
  };
  struct sk_buff *syn_skb;
  struct sk_buff *skb;
  void *skb_data_end;
  u8 op;
  u8 is_fullsock;
  u8 is_locked_tcp_sock;
  u8 remaining_opt_len;
  u64 temp;
};
struct sk_reuseport_kern {
  struct sk_buff *skb;
  struct sock *sk;
  struct sock *selected_sk;
  struct sock *migrating_sk;
  void *data_end;
  u32 hash;
  u32 reuseport_id;
  bool bind_inany;
};
struct bpf_sk_lookup_kern {
  u16 family;
  u16 protocol;
  __be16 sport;
  u16 dport;
  struct {
  __be32 saddr;
  __be32 daddr;
} v4;
  struct {
  const struct in6_addr *saddr;
  const struct in6_addr *daddr;
} v6;
  struct sock *selected_sk;
  u32 ingress_ifindex;
  bool no_reuseport;
};
struct bpf_sysctl_kern {
  struct ctl_table_header *head;
  const struct ctl_table *table;
  void *cur_val;
  size_t cur_len;
  void *new_val;
  size_t new_len;
  int new_updated;
  int write;
  loff_t *ppos;
  u64 tmp_reg;
};
struct bpf_sockopt_kern {
  struct sock *sk;
  u8 *optval;
  u8 *optval_end;
  s32 level;
  s32 optname;
  s32 optlen;
  struct task_struct *current_task;
  u64 tmp_reg;
};
struct bpf_dynptr_kern {
  void *data;
  u32 size;
  u32 offset;
};
struct bpf_iter_task {
  __u64 __opaque[3];
};
struct bpf_iter_css {
  __u64 __opaque[3];
};
struct bpf_iter_css_task {
  __u64 __opaque[1];
};
struct bpf_iter_task_vma {
  __u64 __opaque[1];
};
struct bpf_iter_bits {
  __u64 __opaque[2];
};
struct bpf_iter_kmem_cache {
  __u64 __opaque[1];
};
struct bpf_iter_dmabuf {
  __u64 __opaque[1];
};
struct bpf_crypto_ctx {
  const struct bpf_crypto_type *type;
  void *tfm;
  u32 siv_len;
  struct callback_head rcu;
  refcount_t usage;
};
struct bpf_crypto_params {
  char type[14];
  u8 reserved[2];
  char algo[128];
  u8 key[256];
  u32 key_len;
  u32 authsize;
};
struct bpf_mem_alloc {
  struct bpf_mem_caches *caches;
  struct bpf_mem_cache *cache;
  struct obj_cgroup *objcg;
  bool percpu;
  struct work_struct work;
};
struct bpf_local_storage {
  struct bpf_local_storage_data *cache[16];
  struct bpf_local_storage_map *smap;
  struct hlist_head list;
  void *owner;
  struct callback_head rcu;
  raw_spinlock_t lock;
};
struct btf_func_model {
  u8 ret_size;
  u8 ret_flags;
  u8 nr_args;
  u8 arg_size[12];
  u8 arg_flags[12];
};
struct bpf_struct_ops {
  const struct bpf_verifier_ops *verifier_ops;
  int (*init)(struct btf *);
  int (*check_member)(const struct btf_type *, const struct btf_member *, const struct bpf_prog *);
  int (*init_member)(const struct btf_type *, const struct btf_member *, void *, const void *);
  int (*reg)(void *, struct bpf_link *);
  void (*unreg)(void *, struct bpf_link *);
  int (*update)(void *, void *, struct bpf_link *);
  int (*validate)(void *);
  void *cfi_stubs;
  struct module *owner;
  const char *name;
  struct btf_func_model func_models[64];
};
enum bpf_struct_ops_state {
  BPF_STRUCT_OPS_STATE_INIT, BPF_STRUCT_OPS_STATE_INUSE, BPF_STRUCT_OPS_STATE_TOBEFREE, BPF_STRUCT_OPS_STATE_READY,
};
struct bpf_struct_ops_common_value {
  refcount_t refcnt;
  enum bpf_struct_ops_state state;
};
struct bpf_struct_ops_tcp_congestion_ops {
  struct bpf_struct_ops_common_value common;
  struct tcp_congestion_ops data;
};
struct bpf_dummy_ops {
  int (*test_1)(struct bpf_dummy_ops_state *);
  int (*test_2)(struct bpf_dummy_ops_state *, int, unsigned short, char, unsigned long);
  int (*test_sleepable)(struct bpf_dummy_ops_state *);
};
struct bpf_struct_ops_bpf_dummy_ops {
  struct bpf_struct_ops_common_value common;
  struct bpf_dummy_ops data;
};
struct bpf_htab {
  struct bpf_map map;
  u32 n_buckets;
  u32 elem_size;
  u32 hashrnd;
};
struct bpf_array {
  struct bpf_map map;
  u32 elem_size;
  u32 index_mask;
};
struct bpf_stack_map {
  struct bpf_map map;
  u32 n_buckets;
};
struct lpm_trie {
  struct bpf_map map;
  size_t n_entries;
  size_t max_prefixlen;
  size_t data_size;
};
struct bpf_dtab {
  struct bpf_map map;
  unsigned int items;
  u32 n_buckets;
};
struct bpf_stab {
  struct bpf_map map;
};
struct bpf_cpu_map {
  struct bpf_map map;
};
struct xsk_map {
  struct bpf_map map;
};
struct bpf_shtab {
  struct bpf_map map;
  u32 buckets_num;
  u32 elem_size;
};
struct bpf_cgroup_storage_map {
  struct bpf_map map;
};
struct reuseport_array {
  struct bpf_map map;
};
struct bpf_queue_stack {
  struct bpf_map map;
  u32 head;
  u32 tail;
  u32 size;
};
struct bpf_local_storage_map {
  struct bpf_map map;
  u32 bucket_log;
  u16 elem_size;
  u16 cache_idx;
};
struct bpf_ringbuf_map {
  struct bpf_map map;
};
struct kallsym_iter {
  loff_t pos;
  loff_t pos_mod_end;
  loff_t pos_ftrace_mod_end;
  loff_t pos_bpf_end;
  unsigned long value;
  unsigned int nameoff;
  char type;
  char name[512];
  char module_name[56];
  int exported;
  int show_value;
};
struct perf_branch_entry {
  __u64 from;
  __u64 to;
  __u64 mispred : 1;
  __u64 predicted : 1;
  __u64 in_tx : 1;
  __u64 abort : 1;
  __u64 cycles : 16;
  __u64 type : 4;
  __u64 spec : 2;
  __u64 new_type : 4;
  __u64 priv : 3;
  __u64 reserved : 31;
};
struct bpf_dummy_ops_state {
  int val;
};
struct bpf_rb_node_kern {
  struct rb_node rb_node;
  void *owner;
};
struct bpf_list_node_kern {
  struct list_head list_head;
  void *owner;
};
struct trace_event_raw_sys_enter {
  struct trace_entry ent;
  long id;
  unsigned long args[6];
  char __data[0];
};
struct trace_event_raw_sys_exit {
  struct trace_entry ent;
  long id;
  long ret;
  char __data[0];
};
struct trace_event_raw_sched_switch {
  struct trace_entry ent;
  char prev_comm[16];
  pid_t prev_pid;
  int prev_prio;
  long prev_state;
  char next_comm[16];
  pid_t next_pid;
  int next_prio;
  char __data[0];
};
struct trace_event_raw_sched_process_exec {
  struct trace_entry ent;
  u32 __data_loc_filename;
  pid_t pid;
  pid_t old_pid;
  char __data[0];
};
struct trace_event_raw_sched_process_fork {
  struct trace_entry ent;
  u32 __data_loc_parent_comm;
  pid_t parent_pid;
  u32 __data_loc_child_comm;
  pid_t child_pid;
  char __data[0];
};
struct trace_event_raw_xdp_exception {
  struct trace_entry ent;
  int prog_id;
  u32 act;
  int ifindex;
  char __data[0];
};
typedef struct {

} netns_tracker;
struct seq_net_private {
  struct net *net;
  netns_tracker ns_tracker;
};
struct udp_iter_state {
  struct seq_net_private p;
  int bucket;
};
enum tcp_seq_states {
  TCP_SEQ_STATE_LISTENING, TCP_SEQ_STATE_ESTABLISHED,
};
struct tcp_iter_state {
  struct seq_net_private p;
  enum tcp_seq_states state;
  struct sock *syn_wait_sk;
  int bucket;
  int offset;
  int sbucket;
  int num;
  loff_t last_pos;
};
struct netlink_callback {
  struct sk_buff *skb;
  const struct nlmsghdr *nlh;
  int (*dump)(struct sk_buff *, struct netlink_callback *);
  int (*done)(struct netlink_callback *);
  void *data;
  struct module *module;
  struct netlink_ext_ack *extack;
  u16 family;
  u16 answer_flags;
  u32 min_dump_alloc;
  unsigned int prev_seq;
  unsigned int seq;
  int flags;
  bool strict_check;
  union {
    u8 ctx[48];
    long args[6];
  };
};
struct rhash_head {
  struct rhash_head *next;
};
struct netlink_sock {
  struct sock sk;
  unsigned long flags;
  u32 portid;
  u32 dst_portid;
  u32 dst_group;
  u32 subscriptions;
  u32 ngroups;
  unsigned long *groups;
  unsigned long state;
  size_t max_recvmsg_len;
  wait_queue_head_t wait;
  bool bound;
  bool cb_running;
  int dump_done_errno;
  struct netlink_callback cb;
  struct mutex nl_cb_mutex;
  void (*netlink_rcv)(struct sk_buff *);
  int (*netlink_bind)(struct net *, int);
  void (*netlink_unbind)(struct net *, int);
  void (*netlink_release)(struct sock *, unsigned long *);
  struct module *module;
  struct rhash_head node;
  struct callback_head rcu;
};
struct rt6key {
  struct in6_addr addr;
  int plen;
};
struct fib6_info {
  struct fib6_info *fib6_next;
  struct fib6_node *fib6_node;
  union {
    struct list_head nh_list;
  };
  refcount_t fib6_ref;
  unsigned long expires;
  struct rt6key fib6_dst;
  u32 fib6_flags;
  struct rt6key fib6_src;
  u32 fib6_metric;
  u8 fib6_protocol;
  u8 fib6_type;
  u8 should_flush : 1;
  u8 dst_nocount : 1;
  struct nexthop *nh;
  struct fib6_nh fib6_nh[0];
};
struct bpf_verifier_log {
  u64 start_pos;
  u64 end_pos;
  char *ubuf;
  u32 level;
  u32 len_total;
  u32 len_max;
};
struct ftrace_regs {

};
struct qdisc_skb_head {
  struct sk_buff *head;
  struct sk_buff *tail;
  __u32 qlen;
  spinlock_t lock;
};
typedef struct {
  atomic_long_t a;
} local_t;
typedef struct {
  local_t a;
} local64_t;
typedef struct {
  local64_t v;
} u64_stats_t;
struct u64_stats_sync {

};
struct gnet_stats_basic_sync {
  u64_stats_t bytes;
  u64_stats_t packets;
  struct u64_stats_sync syncp;
};
struct gnet_stats_queue {
  __u32 qlen;
  __u32 backlog;
  __u32 drops;
  __u32 requeues;
  __u32 overlimits;
};
struct lock_class_key {

};
struct Qdisc {
  int (*enqueue)(struct sk_buff *, struct Qdisc *, struct sk_buff **);
  struct sk_buff *(*dequeue)(struct Qdisc *);
  unsigned int flags;
  u32 limit;
  const struct Qdisc_ops *ops;
  struct qdisc_size_table *stab;
  struct hlist_node hash;
  u32 handle;
  u32 parent;
  struct netdev_queue *dev_queue;
  struct net_rate_estimator *rate_est;
  struct gnet_stats_basic_sync *cpu_bstats;
  struct gnet_stats_queue *cpu_qstats;
  int pad;
  refcount_t refcnt;
  struct sk_buff_head gso_skb;
  struct qdisc_skb_head q;
  struct gnet_stats_basic_sync bstats;
  struct gnet_stats_queue qstats;
  int owner;
  unsigned long state;
  unsigned long state2;
  struct Qdisc *next_sched;
  struct sk_buff_head skb_bad_txq;
  spinlock_t busylock;
  spinlock_t seqlock;
  struct callback_head rcu;
  netdevice_tracker dev_tracker;
  struct lock_class_key root_lock_key;
  long privdata[0];
};
struct Qdisc_ops {
  struct Qdisc_ops *next;
  const struct Qdisc_class_ops *cl_ops;
  char id[16];
  int priv_size;
  unsigned int static_flags;
  int (*enqueue)(struct sk_buff *, struct Qdisc *, struct sk_buff **);
  struct sk_buff *(*dequeue)(struct Qdisc *);
  struct sk_buff *(*peek)(struct Qdisc *);
  int (*init)(struct Qdisc *, struct nlattr *, struct netlink_ext_ack *);
  void (*reset)(struct Qdisc *);
  void (*destroy)(struct Qdisc *);
  int (*change)(struct Qdisc *, struct nlattr *, struct netlink_ext_ack *);
  void (*attach)(struct Qdisc *);
  int (*change_tx_queue_len)(struct Qdisc *, unsigned int);
  void (*change_real_num_tx)(struct Qdisc *, unsigned int);
  int (*dump)(struct Qdisc *, struct sk_buff *);
  int (*dump_stats)(struct Qdisc *, struct gnet_dump *);
  void (*ingress_block_set)(struct Qdisc *, u32);
  void (*egress_block_set)(struct Qdisc *, u32);
  u32 (*ingress_block_get)(struct Qdisc *);
  u32 (*egress_block_get)(struct Qdisc *);
  struct module *owner;
};
struct tcf_proto {
  struct tcf_proto *next;
  void *root;
  int (*classify)(struct sk_buff *, const struct tcf_proto *, struct tcf_result *);
  __be16 protocol;
  u32 prio;
  void *data;
  const struct tcf_proto_ops *ops;
  struct tcf_chain *chain;
  spinlock_t lock;
  bool deleting;
  bool counted;
  bool usesw;
  refcount_t refcnt;
  struct callback_head rcu;
  struct hlist_node destroy_ht_node;
};
struct bpf_run_ctx {

};
struct bpf_session_run_ctx {
  struct bpf_run_ctx run_ctx;
  bool is_return;
  void *data;
};
`;
