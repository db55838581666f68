/**
 * Fields that hold pointers the verifier may rely on, by how far: the kernel lists them in structs that exist for that
 * alone. A field is listed by name and type.
 */
export const SAFE_TYPES = `
struct task_struct__safe_rcu {
  const cpumask_t *cpus_ptr;
  struct css_set *cgroups;
  struct task_struct *real_parent;
  struct task_struct *group_leader;
};
struct cgroup__safe_rcu {
  struct kernfs_node *kn;
};
struct css_set__safe_rcu {
  struct cgroup *dfl_cgrp;
};
struct cgroup_subsys_state__safe_rcu {
  struct cgroup *cgroup;
};
struct mm_struct__safe_rcu_or_null {
  struct file *exe_file;
};
struct sk_buff__safe_rcu_or_null {
  struct sock *sk;
};
struct request_sock__safe_rcu_or_null {
  struct sock *sk;
};
struct bpf_iter_meta__safe_trusted {
  struct seq_file *seq;
};
struct bpf_iter__task__safe_trusted {
  struct bpf_iter_meta *meta;
  struct task_struct *task;
};
struct linux_binprm__safe_trusted {
  struct file *file;
};
struct file__safe_trusted {
  struct inode *f_inode;
};
struct dentry__safe_trusted_or_null {
  struct inode *d_inode;
};
struct socket__safe_trusted_or_null {
  struct sock *sk;
};
`;
