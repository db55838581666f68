/** Files. Names as in Linux 6.18; large kernel structures are cut down to the fields that programs read. */

export const FS_TYPES = `
typedef unsigned int fmode_t;
typedef struct {
  atomic64_t refcnt;
} file_ref_t;
struct file {
  spinlock_t f_lock;
  fmode_t f_mode;
  const struct file_operations *f_op;
  struct address_space *f_mapping;
  void *private_data;
  struct inode *f_inode;
  unsigned int f_flags;
  unsigned int f_iocb_flags;
  const struct cred *f_cred;
  struct fown_struct *f_owner;
  union {
    const struct path f_path;
  };
  loff_t f_pos;
  void *f_security;
  union {
    struct callback_head f_task_work;
  };
  file_ref_t f_ref;
};
struct hlist_bl_node {
  struct hlist_bl_node *next;
  struct hlist_bl_node **pprev;
};
struct qstr {
  union {
    struct {
      u32 hash;
      u32 len;
    };
    u64 hash_len;
  };
  const unsigned char *name;
};
struct lockref {
  union {
    __u64 lock_count;
    struct {
      spinlock_t lock;
      int count;
    };
  };
};
struct dentry {
  unsigned int d_flags;
  struct hlist_bl_node d_hash;
  struct dentry *d_parent;
  union {
    struct qstr __d_name;
    const struct qstr d_name;
  };
  struct inode *d_inode;
  const struct dentry_operations *d_op;
  struct super_block *d_sb;
  unsigned long d_time;
  void *d_fsdata;
  struct lockref d_lockref;
};
typedef struct {
  __u8 b[16];
} uuid_t;
struct super_block {
  struct list_head s_list;
  dev_t s_dev;
  unsigned char s_blocksize_bits;
  unsigned long s_blocksize;
  loff_t s_maxbytes;
  struct file_system_type *s_type;
  const struct super_operations *s_op;
  unsigned long s_flags;
  unsigned long s_iflags;
  unsigned long s_magic;
  struct dentry *s_root;
  int s_count;
  atomic_t s_active;
  void *s_fs_info;
  char s_id[32];
  uuid_t s_uuid;
  struct user_namespace *s_user_ns;
};
struct vfsmount {
  struct dentry *mnt_root;
  struct super_block *mnt_sb;
  int mnt_flags;
  struct mnt_idmap *mnt_idmap;
};
struct seq_file {
  char *buf;
  size_t size;
  size_t from;
  size_t count;
  size_t pad_until;
  loff_t index;
  loff_t read_pos;
  struct mutex lock;
  const struct seq_operations *op;
  int poll_event;
  const struct file *file;
  void *private;
};
struct seq_operations {
  void *(*start)(struct seq_file *, loff_t *);
  void (*stop)(struct seq_file *, void *);
  void *(*next)(struct seq_file *, void *, loff_t *);
  int (*show)(struct seq_file *, void *);
};
typedef struct {
  uid_t val;
} vfsuid_t;
typedef struct {
  gid_t val;
} vfsgid_t;
struct iattr {
  unsigned int ia_valid;
  umode_t ia_mode;
  union {
    kuid_t ia_uid;
    vfsuid_t ia_vfsuid;
  };
  union {
    kgid_t ia_gid;
    vfsgid_t ia_vfsgid;
  };
  loff_t ia_size;
  struct timespec64 ia_atime;
  struct timespec64 ia_mtime;
  struct timespec64 ia_ctime;
  struct file *ia_file;
};
struct kiocb {
  struct file *ki_filp;
  loff_t ki_pos;
  void (*ki_complete)(struct kiocb *, long);
  void *private;
  int ki_flags;
  u16 ki_ioprio;
  u8 ki_write_stream;
  union {
    struct wait_page_queue *ki_waitq;
    ssize_t (*dio_complete)(void *);
  };
};
typedef struct {
  unsigned long f;
} memdesc_flags_t;
struct page {
  memdesc_flags_t flags;
  union {
    atomic_t _mapcount;
  };
  atomic_t _refcount;
};
struct rb_root_cached {
  struct rb_root rb_root;
  struct rb_node *rb_leftmost;
};
typedef u32 errseq_t;
struct address_space {
  struct inode *host;
  struct xarray i_pages;
  struct rw_semaphore invalidate_lock;
  gfp_t gfp_mask;
  atomic_t i_mmap_writable;
  struct rb_root_cached i_mmap;
  unsigned long nrpages;
  unsigned long writeback_index;
  const struct address_space_operations *a_ops;
  unsigned long flags;
  errseq_t wb_err;
  spinlock_t i_private_lock;
  struct list_head i_private_list;
  struct rw_semaphore i_mmap_rwsem;
  void *i_private_data;
};
typedef unsigned int slab_flags_t;
struct kmem_cache {
  slab_flags_t flags;
  unsigned long min_partial;
  unsigned int size;
  unsigned int object_size;
  unsigned int offset;
  int refcount;
  unsigned int inuse;
  unsigned int align;
  const char *name;
  struct list_head list;
};
struct dma_buf {
  size_t size;
  struct file *file;
  const struct dma_buf_ops *ops;
  const char *exp_name;
  const char *name;
  struct list_head list_node;
};
`;
