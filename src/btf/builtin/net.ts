/** Kernel objects of networking. Names as in Linux 6.18; large kernel structures are cut down to the fields that programs read. */

export const NET_TYPES = `
enum tcp_ca_event {
  CA_EVENT_TX_START, CA_EVENT_CWND_RESTART, CA_EVENT_COMPLETE_CWR, CA_EVENT_LOSS, CA_EVENT_ECN_NO_CE,
  CA_EVENT_ECN_IS_CE,
};
enum tcp_ca_state {
  TCP_CA_Open, TCP_CA_Disorder, TCP_CA_CWR, TCP_CA_Recovery, TCP_CA_Loss,
};
enum nf_nat_manip_type {
  NF_NAT_MANIP_SRC, NF_NAT_MANIP_DST,
};
enum ip_conntrack_info {
  IP_CT_ESTABLISHED, IP_CT_RELATED, IP_CT_NEW, IP_CT_IS_REPLY, IP_CT_ESTABLISHED_REPLY = 3, IP_CT_RELATED_REPLY,
  IP_CT_NUMBER, IP_CT_UNTRACKED = 7,
};
enum ip_conntrack_dir {
  IP_CT_DIR_ORIGINAL, IP_CT_DIR_REPLY, IP_CT_DIR_MAX,
};
enum ip_conntrack_status {
  IPS_EXPECTED_BIT, IPS_EXPECTED, IPS_SEEN_REPLY_BIT = 1, IPS_SEEN_REPLY, IPS_ASSURED_BIT = 2, IPS_ASSURED = 4,
  IPS_CONFIRMED_BIT = 3, IPS_CONFIRMED = 8, IPS_SRC_NAT_BIT = 4, IPS_SRC_NAT = 16, IPS_DST_NAT_BIT = 5,
  IPS_DST_NAT = 32, IPS_NAT_MASK = 48, IPS_SEQ_ADJUST_BIT = 6, IPS_SEQ_ADJUST = 64, IPS_SRC_NAT_DONE_BIT = 7,
  IPS_SRC_NAT_DONE = 128, IPS_DST_NAT_DONE_BIT = 8, IPS_DST_NAT_DONE = 256, IPS_NAT_DONE_MASK = 384,
  IPS_DYING_BIT = 9, IPS_DYING = 512, IPS_FIXED_TIMEOUT_BIT = 10, IPS_FIXED_TIMEOUT = 1024, IPS_TEMPLATE_BIT = 11,
  IPS_TEMPLATE = 2048, IPS_UNTRACKED_BIT = 12, IPS_UNTRACKED = 4096, IPS_NAT_CLASH_BIT = 12, IPS_NAT_CLASH = 4096,
  IPS_HELPER_BIT = 13, IPS_HELPER = 8192, IPS_OFFLOAD_BIT = 14, IPS_OFFLOAD = 16384, IPS_HW_OFFLOAD_BIT = 15,
  IPS_HW_OFFLOAD = 32768, IPS_UNCHANGEABLE_MASK = 56313, __IPS_MAX_BIT = 16,
};
enum sk_rst_reason {
  SK_RST_REASON_NOT_SPECIFIED, SK_RST_REASON_NO_SOCKET, SK_RST_REASON_TCP_INVALID_ACK_SEQUENCE,
  SK_RST_REASON_TCP_RFC7323_PAWS, SK_RST_REASON_TCP_TOO_OLD_ACK, SK_RST_REASON_TCP_ACK_UNSENT_DATA,
  SK_RST_REASON_TCP_FLAGS, SK_RST_REASON_TCP_OLD_ACK, SK_RST_REASON_TCP_ABORT_ON_DATA,
  SK_RST_REASON_TCP_TIMEWAIT_SOCKET, SK_RST_REASON_INVALID_SYN, SK_RST_REASON_TCP_ABORT_ON_CLOSE,
  SK_RST_REASON_TCP_ABORT_ON_LINGER, SK_RST_REASON_TCP_ABORT_ON_MEMORY, SK_RST_REASON_TCP_STATE,
  SK_RST_REASON_TCP_KEEPALIVE_TIMEOUT, SK_RST_REASON_TCP_DISCONNECT_WITH_DATA, SK_RST_REASON_MPTCP_RST_EUNSPEC,
  SK_RST_REASON_MPTCP_RST_EMPTCP, SK_RST_REASON_MPTCP_RST_ERESOURCE, SK_RST_REASON_MPTCP_RST_EPROHIBIT,
  SK_RST_REASON_MPTCP_RST_EWQ2BIG, SK_RST_REASON_MPTCP_RST_EBADPERF, SK_RST_REASON_MPTCP_RST_EMIDDLEBOX,
  SK_RST_REASON_ERROR, SK_RST_REASON_MAX,
};
enum skb_drop_reason {
  SKB_NOT_DROPPED_YET, SKB_CONSUMED, SKB_DROP_REASON_NOT_SPECIFIED, SKB_DROP_REASON_NO_SOCKET,
  SKB_DROP_REASON_SOCKET_CLOSE, SKB_DROP_REASON_SOCKET_FILTER, SKB_DROP_REASON_SOCKET_RCVBUFF,
  SKB_DROP_REASON_UNIX_DISCONNECT, SKB_DROP_REASON_UNIX_SKIP_OOB, SKB_DROP_REASON_PKT_TOO_SMALL,
  SKB_DROP_REASON_TCP_CSUM, SKB_DROP_REASON_UDP_CSUM, SKB_DROP_REASON_NETFILTER_DROP, SKB_DROP_REASON_OTHERHOST,
  SKB_DROP_REASON_IP_CSUM, SKB_DROP_REASON_IP_INHDR, SKB_DROP_REASON_IP_RPFILTER,
  SKB_DROP_REASON_UNICAST_IN_L2_MULTICAST, SKB_DROP_REASON_XFRM_POLICY, SKB_DROP_REASON_IP_NOPROTO,
  SKB_DROP_REASON_PROTO_MEM, SKB_DROP_REASON_TCP_AUTH_HDR, SKB_DROP_REASON_TCP_MD5NOTFOUND,
  SKB_DROP_REASON_TCP_MD5UNEXPECTED, SKB_DROP_REASON_TCP_MD5FAILURE, SKB_DROP_REASON_TCP_AONOTFOUND,
  SKB_DROP_REASON_TCP_AOUNEXPECTED, SKB_DROP_REASON_TCP_AOKEYNOTFOUND, SKB_DROP_REASON_TCP_AOFAILURE,
  SKB_DROP_REASON_SOCKET_BACKLOG, SKB_DROP_REASON_TCP_FLAGS, SKB_DROP_REASON_TCP_ABORT_ON_DATA,
  SKB_DROP_REASON_TCP_ZEROWINDOW, SKB_DROP_REASON_TCP_OLD_DATA, SKB_DROP_REASON_TCP_OVERWINDOW,
  SKB_DROP_REASON_TCP_OFOMERGE, SKB_DROP_REASON_TCP_RFC7323_PAWS, SKB_DROP_REASON_TCP_RFC7323_PAWS_ACK,
  SKB_DROP_REASON_TCP_RFC7323_TW_PAWS, SKB_DROP_REASON_TCP_RFC7323_TSECR, SKB_DROP_REASON_TCP_LISTEN_OVERFLOW,
  SKB_DROP_REASON_TCP_OLD_SEQUENCE, SKB_DROP_REASON_TCP_INVALID_SEQUENCE, SKB_DROP_REASON_TCP_INVALID_END_SEQUENCE,
  SKB_DROP_REASON_TCP_INVALID_ACK_SEQUENCE, SKB_DROP_REASON_TCP_RESET, SKB_DROP_REASON_TCP_INVALID_SYN,
  SKB_DROP_REASON_TCP_CLOSE, SKB_DROP_REASON_TCP_FASTOPEN, SKB_DROP_REASON_TCP_OLD_ACK,
  SKB_DROP_REASON_TCP_TOO_OLD_ACK, SKB_DROP_REASON_TCP_ACK_UNSENT_DATA, SKB_DROP_REASON_TCP_OFO_QUEUE_PRUNE,
  SKB_DROP_REASON_TCP_OFO_DROP, SKB_DROP_REASON_IP_OUTNOROUTES, SKB_DROP_REASON_BPF_CGROUP_EGRESS,
  SKB_DROP_REASON_IPV6DISABLED, SKB_DROP_REASON_NEIGH_CREATEFAIL, SKB_DROP_REASON_NEIGH_FAILED,
  SKB_DROP_REASON_NEIGH_QUEUEFULL, SKB_DROP_REASON_NEIGH_DEAD, SKB_DROP_REASON_NEIGH_HH_FILLFAIL,
  SKB_DROP_REASON_TC_EGRESS, SKB_DROP_REASON_SECURITY_HOOK, SKB_DROP_REASON_QDISC_DROP,
  SKB_DROP_REASON_QDISC_OVERLIMIT, SKB_DROP_REASON_QDISC_CONGESTED, SKB_DROP_REASON_CAKE_FLOOD,
  SKB_DROP_REASON_FQ_BAND_LIMIT, SKB_DROP_REASON_FQ_HORIZON_LIMIT, SKB_DROP_REASON_FQ_FLOW_LIMIT,
  SKB_DROP_REASON_CPU_BACKLOG, SKB_DROP_REASON_XDP, SKB_DROP_REASON_TC_INGRESS, SKB_DROP_REASON_UNHANDLED_PROTO,
  SKB_DROP_REASON_SKB_CSUM, SKB_DROP_REASON_SKB_GSO_SEG, SKB_DROP_REASON_SKB_UCOPY_FAULT, SKB_DROP_REASON_DEV_HDR,
  SKB_DROP_REASON_DEV_READY, SKB_DROP_REASON_FULL_RING, SKB_DROP_REASON_NOMEM, SKB_DROP_REASON_HDR_TRUNC,
  SKB_DROP_REASON_TAP_FILTER, SKB_DROP_REASON_TAP_TXFILTER, SKB_DROP_REASON_ICMP_CSUM, SKB_DROP_REASON_INVALID_PROTO,
  SKB_DROP_REASON_IP_INADDRERRORS, SKB_DROP_REASON_IP_INNOROUTES, SKB_DROP_REASON_IP_LOCAL_SOURCE,
  SKB_DROP_REASON_IP_INVALID_SOURCE, SKB_DROP_REASON_IP_LOCALNET, SKB_DROP_REASON_IP_INVALID_DEST,
  SKB_DROP_REASON_PKT_TOO_BIG, SKB_DROP_REASON_DUP_FRAG, SKB_DROP_REASON_FRAG_REASM_TIMEOUT,
  SKB_DROP_REASON_FRAG_TOO_FAR, SKB_DROP_REASON_TCP_MINTTL, SKB_DROP_REASON_IPV6_BAD_EXTHDR,
  SKB_DROP_REASON_IPV6_NDISC_FRAG, SKB_DROP_REASON_IPV6_NDISC_HOP_LIMIT, SKB_DROP_REASON_IPV6_NDISC_BAD_CODE,
  SKB_DROP_REASON_IPV6_NDISC_BAD_OPTIONS, SKB_DROP_REASON_IPV6_NDISC_NS_OTHERHOST, SKB_DROP_REASON_QUEUE_PURGE,
  SKB_DROP_REASON_TC_COOKIE_ERROR, SKB_DROP_REASON_PACKET_SOCK_ERROR, SKB_DROP_REASON_TC_CHAIN_NOTFOUND,
  SKB_DROP_REASON_TC_RECLASSIFY_LOOP, SKB_DROP_REASON_VXLAN_INVALID_HDR, SKB_DROP_REASON_VXLAN_VNI_NOT_FOUND,
  SKB_DROP_REASON_MAC_INVALID_SOURCE, SKB_DROP_REASON_VXLAN_ENTRY_EXISTS, SKB_DROP_REASON_NO_TX_TARGET,
  SKB_DROP_REASON_IP_TUNNEL_ECN, SKB_DROP_REASON_TUNNEL_TXINFO, SKB_DROP_REASON_LOCAL_MAC,
  SKB_DROP_REASON_ARP_PVLAN_DISABLE, SKB_DROP_REASON_MAC_IEEE_MAC_CONTROL, SKB_DROP_REASON_BRIDGE_INGRESS_STP_STATE,
  SKB_DROP_REASON_CAN_RX_INVALID_FRAME, SKB_DROP_REASON_CANFD_RX_INVALID_FRAME,
  SKB_DROP_REASON_CANXL_RX_INVALID_FRAME, SKB_DROP_REASON_PFMEMALLOC, SKB_DROP_REASON_DUALPI2_STEP_DROP,
  SKB_DROP_REASON_PSP_INPUT, SKB_DROP_REASON_PSP_OUTPUT, SKB_DROP_REASON_RECURSION_LIMIT, SKB_DROP_REASON_MAX,
  SKB_DROP_REASON_SUBSYS_MASK = 18446744073709486080,
};
enum xdp_mem_type {
  MEM_TYPE_PAGE_SHARED, MEM_TYPE_PAGE_ORDER0, MEM_TYPE_PAGE_POOL, MEM_TYPE_XSK_BUFF_POOL, MEM_TYPE_MAX,
};
enum xdp_buff_flags {
  XDP_FLAGS_HAS_FRAGS = 1, XDP_FLAGS_FRAGS_PF_MEMALLOC, XDP_FLAGS_FRAGS_UNREADABLE = 4,
};
enum xdp_rss_hash_type {
  XDP_RSS_L3_IPV4 = 1, XDP_RSS_L3_IPV6, XDP_RSS_L3_DYNHDR = 4, XDP_RSS_L4 = 8, XDP_RSS_L4_TCP = 16,
  XDP_RSS_L4_UDP = 32, XDP_RSS_L4_SCTP = 64, XDP_RSS_L4_IPSEC = 128, XDP_RSS_L4_ICMP = 256, XDP_RSS_TYPE_NONE = 0,
  XDP_RSS_TYPE_L2 = 0, XDP_RSS_TYPE_L3_IPV4, XDP_RSS_TYPE_L3_IPV6, XDP_RSS_TYPE_L3_IPV4_OPT = 5,
  XDP_RSS_TYPE_L3_IPV6_EX, XDP_RSS_TYPE_L4_ANY = 8, XDP_RSS_TYPE_L4_IPV4_TCP = 25, XDP_RSS_TYPE_L4_IPV4_UDP = 41,
  XDP_RSS_TYPE_L4_IPV4_SCTP = 73, XDP_RSS_TYPE_L4_IPV4_IPSEC = 137, XDP_RSS_TYPE_L4_IPV4_ICMP = 265,
  XDP_RSS_TYPE_L4_IPV6_TCP = 26, XDP_RSS_TYPE_L4_IPV6_UDP = 42, XDP_RSS_TYPE_L4_IPV6_SCTP = 74,
  XDP_RSS_TYPE_L4_IPV6_IPSEC = 138, XDP_RSS_TYPE_L4_IPV6_ICMP = 266, XDP_RSS_TYPE_L4_IPV6_TCP_EX = 30,
  XDP_RSS_TYPE_L4_IPV6_UDP_EX = 46, XDP_RSS_TYPE_L4_IPV6_SCTP_EX = 78,
};
enum sock_type {
  SOCK_STREAM = 1, SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET, SOCK_DCCP, SOCK_PACKET = 10,
};
enum sock_flags {
  SOCK_DEAD, SOCK_DONE, SOCK_URGINLINE, SOCK_KEEPOPEN, SOCK_LINGER, SOCK_DESTROY, SOCK_BROADCAST, SOCK_TIMESTAMP,
  SOCK_ZAPPED, SOCK_USE_WRITE_QUEUE, SOCK_DBG, SOCK_RCVTSTAMP, SOCK_RCVTSTAMPNS, SOCK_LOCALROUTE, SOCK_MEMALLOC,
  SOCK_TIMESTAMPING_RX_SOFTWARE, SOCK_FASYNC, SOCK_RXQ_OVFL, SOCK_ZEROCOPY, SOCK_WIFI_STATUS, SOCK_NOFCS,
  SOCK_FILTER_LOCKED, SOCK_SELECT_ERR_QUEUE, SOCK_RCU_FREE, SOCK_TXTIME, SOCK_XDP, SOCK_TSTAMP_NEW, SOCK_RCVMARK,
  SOCK_RCVPRIORITY, SOCK_TIMESTAMPING_ANY,
};
struct xdp_buff {
  void *data;
  void *data_end;
  void *data_meta;
  void *data_hard_start;
  struct xdp_rxq_info *rxq;
  struct xdp_txq_info *txq;
  union {
    struct {
      u32 frame_sz;
      u32 flags;
    };
    u64 frame_sz_flags_init;
  };
};
struct xdp_frame {
  void *data;
  u32 len;
  u32 headroom;
  u32 metasize;
  enum xdp_mem_type mem_type : 32;
  struct net_device *dev_rx;
  u32 frame_sz;
  u32 flags;
};
struct xdp_mem_info {
  u32 type;
  u32 id;
};
struct xdp_rxq_info {
  struct net_device *dev;
  u32 queue_index;
  u32 reg_state;
  struct xdp_mem_info mem;
  u32 frag_size;
};
struct xdp_txq_info {
  struct net_device *dev;
};
struct rb_node {
  unsigned long __rb_parent_color;
  struct rb_node *rb_right;
  struct rb_node *rb_left;
};
struct list_head {
  struct list_head *next;
  struct list_head *prev;
};
struct llist_node {
  struct llist_node *next;
};
typedef s64 ktime_t;
typedef unsigned int sk_buff_data_t;
typedef struct {
  int counter;
} atomic_t;
struct refcount_struct {
  atomic_t refs;
};
typedef struct refcount_struct refcount_t;
struct sk_buff {
  union {
    struct {
      struct sk_buff *next;
      struct sk_buff *prev;
      union {
        struct net_device *dev;
        unsigned long dev_scratch;
      };
    };
    struct rb_node rbnode;
    struct list_head list;
    struct llist_node ll_node;
  };
  struct sock *sk;
  union {
    ktime_t tstamp;
    u64 skb_mstamp_ns;
  };
  char cb[48];
  union {
    struct {
      unsigned long _skb_refdst;
      void (*destructor)(struct sk_buff *);
    };
    struct list_head tcp_tsorted_anchor;
    unsigned long _sk_redir;
  };
  unsigned long _nfct;
  unsigned int len;
  unsigned int data_len;
  __u16 mac_len;
  __u16 hdr_len;
  __u16 queue_mapping;
  __u8 __cloned_offset[0];
  __u8 cloned : 1;
  __u8 nohdr : 1;
  __u8 fclone : 2;
  __u8 peeked : 1;
  __u8 head_frag : 1;
  __u8 pfmemalloc : 1;
  __u8 pp_recycle : 1;
  __u8 active_extensions;
  union {
    struct {
      __u8 __pkt_type_offset[0];
      __u8 pkt_type : 3;
      __u8 ignore_df : 1;
      __u8 dst_pending_confirm : 1;
      __u8 ip_summed : 2;
      __u8 ooo_okay : 1;
      __u8 __mono_tc_offset[0];
      __u8 tstamp_type : 2;
      __u8 tc_at_ingress : 1;
      __u8 tc_skip_classify : 1;
      __u8 remcsum_offload : 1;
      __u8 csum_complete_sw : 1;
      __u8 csum_level : 2;
      __u8 inner_protocol_type : 1;
      __u8 l4_hash : 1;
      __u8 sw_hash : 1;
      __u8 no_fcs : 1;
      __u8 encapsulation : 1;
      __u8 encap_hdr_csum : 1;
      __u8 csum_valid : 1;
      __u8 nf_trace : 1;
      __u8 redirected : 1;
      __u8 from_ingress : 1;
      __u8 nf_skip_egress : 1;
      __u8 slow_gro : 1;
      __u8 unreadable : 1;
      __u16 tc_index;
      u16 alloc_cpu;
      union {
        __wsum csum;
        struct {
          __u16 csum_start;
          __u16 csum_offset;
        };
      };
      __u32 priority;
      int skb_iif;
      __u32 hash;
      union {
        u32 vlan_all;
        struct {
          __be16 vlan_proto;
          __u16 vlan_tci;
        };
      };
      union {
        unsigned int napi_id;
        unsigned int sender_cpu;
      };
      __u32 secmark;
      union {
        __u32 mark;
        __u32 reserved_tailroom;
      };
      union {
        __be16 inner_protocol;
        __u8 inner_ipproto;
      };
      __u16 inner_transport_header;
      __u16 inner_network_header;
      __u16 inner_mac_header;
      __be16 protocol;
      __u16 transport_header;
      __u16 network_header;
      __u16 mac_header;
    };
    struct {
  __u8 __pkt_type_offset[0];
  __u8 pkt_type : 3;
  __u8 ignore_df : 1;
  __u8 dst_pending_confirm : 1;
  __u8 ip_summed : 2;
  __u8 ooo_okay : 1;
  __u8 __mono_tc_offset[0];
  __u8 tstamp_type : 2;
  __u8 tc_at_ingress : 1;
  __u8 tc_skip_classify : 1;
  __u8 remcsum_offload : 1;
  __u8 csum_complete_sw : 1;
  __u8 csum_level : 2;
  __u8 inner_protocol_type : 1;
  __u8 l4_hash : 1;
  __u8 sw_hash : 1;
  __u8 no_fcs : 1;
  __u8 encapsulation : 1;
  __u8 encap_hdr_csum : 1;
  __u8 csum_valid : 1;
  __u8 nf_trace : 1;
  __u8 redirected : 1;
  __u8 from_ingress : 1;
  __u8 nf_skip_egress : 1;
  __u8 slow_gro : 1;
  __u8 unreadable : 1;
  __u16 tc_index;
  u16 alloc_cpu;
  union {
    __wsum csum;
    struct {
      __u16 csum_start;
      __u16 csum_offset;
    };
  };
  __u32 priority;
  int skb_iif;
  __u32 hash;
  union {
    u32 vlan_all;
    struct {
      __be16 vlan_proto;
      __u16 vlan_tci;
    };
  };
  union {
    unsigned int napi_id;
    unsigned int sender_cpu;
  };
  __u32 secmark;
  union {
    __u32 mark;
    __u32 reserved_tailroom;
  };
  union {
    __be16 inner_protocol;
    __u8 inner_ipproto;
  };
  __u16 inner_transport_header;
  __u16 inner_network_header;
  __u16 inner_mac_header;
  __be16 protocol;
  __u16 transport_header;
  __u16 network_header;
  __u16 mac_header;
} headers;
  };
  sk_buff_data_t tail;
  sk_buff_data_t end;
  unsigned char *head;
  unsigned char *data;
  unsigned int truesize;
  refcount_t users;
  struct skb_ext *extensions;
};
struct skb_shared_hwtstamps {
  union {
    ktime_t hwtstamp;
    void *netdev_data;
  };
};
struct xsk_tx_metadata_compl {
  __u64 *tx_timestamp;
};
typedef unsigned long netmem_ref;
struct skb_frag {
  netmem_ref netmem;
  unsigned int len;
  unsigned int offset;
};
typedef struct skb_frag skb_frag_t;
struct skb_shared_info {
  __u8 flags;
  __u8 meta_len;
  __u8 nr_frags;
  __u8 tx_flags;
  unsigned short gso_size;
  unsigned short gso_segs;
  struct sk_buff *frag_list;
  union {
    struct skb_shared_hwtstamps hwtstamps;
    struct xsk_tx_metadata_compl xsk_meta;
  };
  unsigned int gso_type;
  u32 tskey;
  atomic_t dataref;
  union {
    struct {
      u32 xdp_frags_size;
      u32 xdp_frags_truesize;
    };
    void *destructor_arg;
  };
  skb_frag_t frags[17];
};
struct sk_buff_list {
  struct sk_buff *next;
  struct sk_buff *prev;
};
struct qspinlock {
  union {
    atomic_t val;
    struct {
      u8 locked;
      u8 pending;
    };
    struct {
      u16 locked_pending;
      u16 tail;
    };
  };
};
typedef struct qspinlock arch_spinlock_t;
struct raw_spinlock {
  arch_spinlock_t raw_lock;
};
struct spinlock {
  union {
    struct raw_spinlock rlock;
  };
};
typedef struct spinlock spinlock_t;
struct sk_buff_head {
  union {
    struct {
      struct sk_buff *next;
      struct sk_buff *prev;
    };
    struct sk_buff_list list;
  };
  __u32 qlen;
  spinlock_t lock;
};
typedef u64 netdev_features_t;
typedef struct {
  struct net *net;
} possible_net_t;
typedef u32 xdp_features_t;
typedef struct {
  s64 counter;
} atomic64_t;
typedef atomic64_t atomic_long_t;
struct net_device_stats {
  union {
    unsigned long rx_packets;
    atomic_long_t __rx_packets;
  };
  union {
    unsigned long tx_packets;
    atomic_long_t __tx_packets;
  };
  union {
    unsigned long rx_bytes;
    atomic_long_t __rx_bytes;
  };
  union {
    unsigned long tx_bytes;
    atomic_long_t __tx_bytes;
  };
  union {
    unsigned long rx_errors;
    atomic_long_t __rx_errors;
  };
  union {
    unsigned long tx_errors;
    atomic_long_t __tx_errors;
  };
  union {
    unsigned long rx_dropped;
    atomic_long_t __rx_dropped;
  };
  union {
    unsigned long tx_dropped;
    atomic_long_t __tx_dropped;
  };
  union {
    unsigned long multicast;
    atomic_long_t __multicast;
  };
  union {
    unsigned long collisions;
    atomic_long_t __collisions;
  };
  union {
    unsigned long rx_length_errors;
    atomic_long_t __rx_length_errors;
  };
  union {
    unsigned long rx_over_errors;
    atomic_long_t __rx_over_errors;
  };
  union {
    unsigned long rx_crc_errors;
    atomic_long_t __rx_crc_errors;
  };
  union {
    unsigned long rx_frame_errors;
    atomic_long_t __rx_frame_errors;
  };
  union {
    unsigned long rx_fifo_errors;
    atomic_long_t __rx_fifo_errors;
  };
  union {
    unsigned long rx_missed_errors;
    atomic_long_t __rx_missed_errors;
  };
  union {
    unsigned long tx_aborted_errors;
    atomic_long_t __tx_aborted_errors;
  };
  union {
    unsigned long tx_carrier_errors;
    atomic_long_t __tx_carrier_errors;
  };
  union {
    unsigned long tx_fifo_errors;
    atomic_long_t __tx_fifo_errors;
  };
  union {
    unsigned long tx_heartbeat_errors;
    atomic_long_t __tx_heartbeat_errors;
  };
  union {
    unsigned long tx_window_errors;
    atomic_long_t __tx_window_errors;
  };
  union {
    unsigned long rx_compressed;
    atomic_long_t __rx_compressed;
  };
  union {
    unsigned long tx_compressed;
    atomic_long_t __tx_compressed;
  };
};
struct rb_root {
  struct rb_node *rb_node;
};
struct netdev_hw_addr_list {
  struct list_head list;
  int count;
  struct rb_root tree;
};
struct bpf_xdp_entity {
  struct bpf_prog *prog;
  struct bpf_xdp_link *link;
};
struct net_device {
  union {
    struct {
      unsigned long priv_flags : 32;
      unsigned long lltx : 1;
    };
  };
  const struct net_device_ops *netdev_ops;
  const struct header_ops *header_ops;
  struct netdev_queue *_tx;
  unsigned int real_num_tx_queues;
  unsigned int gso_max_size;
  u16 gso_max_segs;
  unsigned int mtu;
  unsigned short needed_headroom;
  struct bpf_mprog_entry *tcx_egress;
  union {
    struct pcpu_lstats *lstats;
    struct pcpu_sw_netstats *tstats;
    struct pcpu_dstats *dstats;
  };
  unsigned long state;
  unsigned int flags;
  unsigned short hard_header_len;
  netdev_features_t features;
  struct inet6_dev *ip6_ptr;
  struct bpf_prog *xdp_prog;
  int ifindex;
  unsigned int real_num_rx_queues;
  struct netdev_rx_queue *_rx;
  possible_net_t nd_net;
  struct bpf_mprog_entry *tcx_ingress;
  char name[16];
  struct dev_ifalias *ifalias;
  unsigned long mem_end;
  unsigned long mem_start;
  unsigned long base_addr;
  struct list_head dev_list;
  xdp_features_t xdp_features;
  const struct xdp_metadata_ops *xdp_metadata_ops;
  unsigned short needed_tailroom;
  netdev_features_t hw_features;
  netdev_features_t wanted_features;
  netdev_features_t vlan_features;
  unsigned int min_mtu;
  unsigned int max_mtu;
  unsigned short type;
  unsigned char min_header_len;
  unsigned char name_assign_type;
  int group;
  struct net_device_stats stats;
  const struct ethtool_ops *ethtool_ops;
  unsigned int operstate;
  unsigned char link_mode;
  unsigned char if_port;
  unsigned char dma;
  unsigned char perm_addr[32];
  unsigned char addr_assign_type;
  unsigned char addr_len;
  unsigned short dev_id;
  unsigned short dev_port;
  int irq;
  struct netdev_hw_addr_list uc;
  struct netdev_hw_addr_list mc;
  unsigned int promiscuity;
  unsigned int allmulti;
  struct in_device *ip_ptr;
  const unsigned char *dev_addr;
  unsigned int num_rx_queues;
  struct netdev_queue *ingress_queue;
  unsigned char broadcast[32];
  unsigned int num_tx_queues;
  unsigned int tx_queue_len;
  u8 reg_state;
  const struct rtnl_link_ops *rtnl_link_ops;
  struct bpf_xdp_entity xdp_state[3];
};
struct callback_head {
  struct callback_head *next;
  void (*func)(struct callback_head *);
};
struct ns_common {
  u32 ns_type;
  struct dentry *stashed;
  const struct proc_ns_operations *ops;
  unsigned int inum;
  refcount_t __ns_ref;
  union {
    struct {
      u64 ns_id;
      struct rb_node ns_tree_node;
      struct list_head ns_list_node;
    };
    struct callback_head ns_rcu;
  };
};
struct net {
  refcount_t passive;
  u32 ifindex;
  struct list_head list;
  struct user_namespace *user_ns;
  struct ucounts *ucounts;
  struct ns_common ns;
  struct list_head dev_base_head;
  struct proc_dir_entry *proc_net;
  struct proc_dir_entry *proc_net_stat;
  struct sock *rtnl;
  struct sock *genl_sock;
  u32 hash_mix;
  struct net_device *loopback_dev;
  u64 net_cookie;
};
typedef __u64 __addrpair;
typedef __u32 __portpair;
struct hlist_node {
  struct hlist_node *next;
  struct hlist_node **pprev;
};
struct hlist_nulls_node {
  struct hlist_nulls_node *next;
  struct hlist_nulls_node **pprev;
};
struct sock_common {
  union {
    __addrpair skc_addrpair;
    struct {
      __be32 skc_daddr;
      __be32 skc_rcv_saddr;
    };
  };
  union {
    unsigned int skc_hash;
    __u16 skc_u16hashes[2];
  };
  union {
    __portpair skc_portpair;
    struct {
      __be16 skc_dport;
      __u16 skc_num;
    };
  };
  unsigned short skc_family;
  volatile unsigned char skc_state;
  unsigned char skc_reuse : 4;
  unsigned char skc_reuseport : 1;
  unsigned char skc_ipv6only : 1;
  unsigned char skc_net_refcnt : 1;
  int skc_bound_dev_if;
  union {
    struct hlist_node skc_bind_node;
    struct hlist_node skc_portaddr_node;
  };
  struct proto *skc_prot;
  possible_net_t skc_net;
  struct in6_addr skc_v6_daddr;
  struct in6_addr skc_v6_rcv_saddr;
  atomic64_t skc_cookie;
  union {
    unsigned long skc_flags;
    struct sock *skc_listener;
    struct inet_timewait_death_row *skc_tw_dr;
  };
  int skc_dontcopy_begin[0];
  union {
    struct hlist_node skc_node;
    struct hlist_nulls_node skc_nulls_node;
  };
  unsigned short skc_tx_queue_mapping;
  unsigned short skc_rx_queue_mapping;
  union {
    int skc_incoming_cpu;
    u32 skc_rcv_wnd;
    u32 skc_tw_rcv_nxt;
  };
  refcount_t skc_refcnt;
  int skc_dontcopy_end[0];
  union {
    u32 skc_rxhash;
    u32 skc_window_clamp;
    u32 skc_tw_snd_nxt;
  };
};
struct wait_queue_head {
  spinlock_t lock;
  struct list_head head;
};
typedef struct wait_queue_head wait_queue_head_t;
typedef struct {
  spinlock_t slock;
  int owned;
  wait_queue_head_t wq;
} socket_lock_t;
typedef struct {
  uid_t val;
} kuid_t;
struct qrwlock {
  union {
    atomic_t cnts;
    struct {
      u8 wlocked;
      u8 __lstate[3];
    };
  };
  arch_spinlock_t wait_lock;
};
typedef struct qrwlock arch_rwlock_t;
typedef struct {
  arch_rwlock_t raw_lock;
} rwlock_t;
struct sock_cgroup_data {
  struct cgroup *cgroup;
  u32 classid;
  u16 prioidx;
};
struct sock {
  struct sock_common __sk_common;
  atomic_t sk_drops;
  struct sk_buff_head sk_error_queue;
  struct sk_buff_head sk_receive_queue;
  struct {
  atomic_t rmem_alloc;
  int len;
  struct sk_buff *head;
  struct sk_buff *tail;
} sk_backlog;
  struct dst_entry *sk_rx_dst;
  int sk_rx_dst_ifindex;
  u32 sk_rx_dst_cookie;
  int sk_rcvbuf;
  struct sk_filter *sk_filter;
  union {
    struct socket_wq *sk_wq;
  };
  void (*sk_data_ready)(struct sock *);
  long sk_rcvtimeo;
  int sk_rcvlowat;
  int sk_err;
  struct socket *sk_socket;
  struct mem_cgroup *sk_memcg;
  socket_lock_t sk_lock;
  int sk_forward_alloc;
  u32 sk_tsflags;
  int sk_write_pending;
  atomic_t sk_omem_alloc;
  int sk_err_soft;
  int sk_wmem_queued;
  refcount_t sk_wmem_alloc;
  struct sk_buff_head sk_write_queue;
  u32 sk_pacing_status;
  unsigned long sk_pacing_rate;
  atomic_t sk_zckey;
  unsigned long sk_max_pacing_rate;
  long sk_sndtimeo;
  u32 sk_priority;
  u32 sk_mark;
  kuid_t sk_uid;
  u16 sk_protocol;
  u16 sk_type;
  struct dst_entry *sk_dst_cache;
  u16 sk_gso_type;
  gfp_t sk_allocation;
  u32 sk_txhash;
  int sk_sndbuf;
  u8 sk_pacing_shift;
  u8 sk_kern_sock : 1;
  u8 sk_shutdown;
  unsigned long sk_lingertime;
  struct proto *sk_prot_creator;
  rwlock_t sk_callback_lock;
  u32 sk_ack_backlog;
  u32 sk_max_ack_backlog;
  struct pid *sk_peer_pid;
  const struct cred *sk_peer_cred;
  ktime_t sk_stamp;
  u8 sk_bpf_cb_flags;
  void *sk_user_data;
  void *sk_security;
  struct sock_cgroup_data sk_cgrp_data;
  void (*sk_state_change)(struct sock *);
  void (*sk_write_space)(struct sock *);
  void (*sk_error_report)(struct sock *);
  void (*sk_destruct)(struct sock *);
  struct sock_reuseport *sk_reuseport_cb;
  struct bpf_local_storage *sk_bpf_storage;
  struct callback_head sk_rcu;
};
struct inet_sock {
  struct sock sk;
  struct ipv6_pinfo *pinet6;
  unsigned long inet_flags;
  __be32 inet_saddr;
  __s16 uc_ttl;
  __be16 inet_sport;
  struct ip_options_rcu *inet_opt;
  atomic_t inet_id;
  __u8 tos;
  __u8 min_ttl;
  __u8 mc_ttl;
  __u8 pmtudisc;
  __u8 rcv_tos;
  int mc_index;
  __be32 mc_addr;
};
struct fastopen_queue {
  struct request_sock *rskq_rst_head;
  struct request_sock *rskq_rst_tail;
  spinlock_t lock;
  int qlen;
  int max_qlen;
  struct tcp_fastopen_context *ctx;
};
struct request_sock_queue {
  spinlock_t rskq_lock;
  u8 rskq_defer_accept;
  u8 synflood_warned;
  atomic_t qlen;
  atomic_t young;
  struct request_sock *rskq_accept_head;
  struct request_sock *rskq_accept_tail;
  struct fastopen_queue fastopenq;
};
struct timer_list {
  struct hlist_node entry;
  unsigned long expires;
  void (*function)(struct timer_list *);
  u32 flags;
};
struct inet_connection_sock {
  struct inet_sock icsk_inet;
  struct request_sock_queue icsk_accept_queue;
  struct inet_bind_bucket *icsk_bind_hash;
  struct timer_list icsk_retransmit_timer;
  struct timer_list icsk_delack_timer;
  __u32 icsk_rto;
  __u32 icsk_rto_min;
  __u32 icsk_delack_max;
  __u32 icsk_pmtu_cookie;
  const struct tcp_congestion_ops *icsk_ca_ops;
  const struct inet_connection_sock_af_ops *icsk_af_ops;
  __u8 icsk_ca_state : 5;
  __u8 icsk_ca_initialized : 1;
  __u8 icsk_ca_setsockopt : 1;
  __u8 icsk_ca_dst_locked : 1;
  __u8 icsk_retransmits;
  __u8 icsk_pending;
  __u8 icsk_backoff;
  __u8 icsk_syn_retries;
  __u8 icsk_probes_out;
  __u16 icsk_ext_hdr_len;
  struct {
  __u8 pending;
  __u8 quick;
  __u8 pingpong;
  __u8 retry;
  __u32 ato : 8;
  __u32 lrcv_flowlabel : 20;
  __u32 dst_quick_ack : 1;
  __u32 unused : 3;
  __u32 lrcvtime;
  __u16 last_seg_size;
  __u16 rcv_mss;
} icsk_ack;
  struct {
  int search_high;
  int search_low;
  u32 probe_size : 31;
  u32 enabled : 1;
  u32 probe_timestamp;
} icsk_mtup;
  u32 icsk_user_timeout;
  u64 icsk_ca_priv[13];
};
struct minmax_sample {
  u32 t;
  u32 v;
};
struct minmax {
  struct minmax_sample s[3];
};
struct tcp_sock {
  struct inet_connection_sock inet_conn;
  u32 max_window;
  u32 rcv_ssthresh;
  u32 reordering;
  u32 notsent_lowat;
  u16 gso_segs;
  struct sk_buff *retransmit_skb_hint;
  u32 snd_wnd;
  u32 mss_cache;
  u32 snd_cwnd;
  u32 prr_out;
  u32 lost_out;
  u32 sacked_out;
  u16 tcp_header_len;
  u8 repair : 1;
  u8 is_cwnd_limited : 1;
  u32 copied_seq;
  u32 tlp_high_seq;
  u32 rttvar_us;
  u32 retrans_out;
  u16 advmss;
  u32 snd_ssthresh;
  struct minmax rtt_min;
  u32 segs_out;
  u32 data_segs_out;
  u64 bytes_sent;
  u32 snd_sml;
  u32 write_seq;
  u32 pushed_seq;
  u32 lsndtime;
  u32 mdev_us;
  u32 rtt_seq;
  u64 tcp_wstamp_ns;
  u8 ecn_flags;
  u8 nonagle : 4;
  __be32 pred_flags;
  u64 tcp_clock_cache;
  u64 tcp_mstamp;
  u32 rcv_nxt;
  u32 snd_nxt;
  u32 snd_una;
  u32 window_clamp;
  u32 srtt_us;
  u32 packets_out;
  u32 snd_up;
  u32 delivered;
  u32 delivered_ce;
  u32 app_limited;
  u32 rcv_wnd;
  u32 rcv_tstamp;
  u64 bytes_received;
  u32 segs_in;
  u32 data_segs_in;
  u32 rcv_wup;
  u32 max_packets_out;
  u32 cwnd_usage_seq;
  u32 rate_delivered;
  u32 rate_interval_us;
  u64 bytes_acked;
  u32 dsack_dups;
  u32 mdev_max_us;
  u32 snd_cwnd_cnt;
  u32 snd_cwnd_clamp;
  u32 snd_cwnd_used;
  u32 snd_cwnd_stamp;
  u32 prior_cwnd;
  u32 prr_delivered;
  u32 prior_ssthresh;
  u32 high_seq;
  u32 retrans_stamp;
  u32 undo_marker;
  int undo_retrans;
  u64 bytes_retrans;
  u32 total_retrans;
  u8 bpf_sock_ops_cb_flags;
  bool is_mptcp;
};
struct in6_pktinfo {
  struct in6_addr ipi6_addr;
  int ipi6_ifindex;
};
struct inet6_cork {
  struct ipv6_txoptions *opt;
  u8 hop_limit;
  u8 tclass;
  u8 dontfrag : 1;
};
struct ipv6_pinfo {
  struct in6_addr saddr;
  __be32 flow_label;
  u32 dst_cookie;
  struct ipv6_txoptions *opt;
  s16 hop_limit;
  u8 pmtudisc;
  u8 tclass;
  bool saddr_cache;
  bool daddr_cache;
  u8 mcast_hops;
  u32 frag_size;
  int ucast_oif;
  int mcast_oif;
  union {
  struct {
  u16 srcrt : 1;
  u16 osrcrt : 1;
  u16 rxinfo : 1;
  u16 rxoinfo : 1;
  u16 rxhlim : 1;
  u16 rxohlim : 1;
  u16 hopopts : 1;
  u16 ohopopts : 1;
  u16 dstopts : 1;
  u16 odstopts : 1;
  u16 rxflow : 1;
  u16 rxtclass : 1;
  u16 rxpmtu : 1;
  u16 rxorigdstaddr : 1;
  u16 recvfragsize : 1;
} bits;
  u16 all;
} rxopt;
  u8 srcprefs;
  u8 min_hopcount;
  __be32 rcv_flowinfo;
  struct in6_pktinfo sticky_pktinfo;
  struct sk_buff *pktoptions;
  struct sk_buff *rxpmtu;
  struct inet6_cork cork;
  struct ipv6_mc_socklist *ipv6_mc_list;
  struct ipv6_ac_socklist *ipv6_ac_list;
};
struct tcp6_sock {
  struct tcp_sock tcp;
  struct ipv6_pinfo inet6;
};
struct udp_sock {
  struct inet_sock inet;
  unsigned long udp_flags;
  int pending;
  __u8 encap_type;
  __u16 len;
  __u16 gso_size;
  __u16 pcslen;
  __u16 pcrlen;
  int forward_deficit;
  int forward_threshold;
};
struct udp6_sock {
  struct udp_sock udp;
  struct ipv6_pinfo inet6;
};
struct request_sock {
  struct sock_common __req_common;
  struct request_sock *dl_next;
  u16 mss;
  u8 num_retrans;
  u8 syncookie : 1;
  u8 num_timeout : 7;
  u32 ts_recent;
  struct timer_list rsk_timer;
  const struct request_sock_ops *rsk_ops;
  struct sock *sk;
  struct saved_syn *saved_syn;
  u32 secid;
  u32 peer_secid;
};
struct inet_request_sock {
  struct request_sock req;
  u16 snd_wscale : 4;
  u16 rcv_wscale : 4;
  u16 tstamp_ok : 1;
  u16 sack_ok : 1;
  u16 wscale_ok : 1;
  u16 ecn_ok : 1;
  u16 acked : 1;
  u16 no_srccheck : 1;
  u16 smc_ok : 1;
  u32 ir_mark;
};
struct tcp_request_sock {
  struct inet_request_sock req;
  const struct tcp_request_sock_ops *af_specific;
  u64 snt_synack;
  u32 txhash;
  u32 rcv_isn;
  u32 snt_isn;
  u32 ts_off;
  u32 last_oow_ack_time;
  u32 rcv_nxt;
  u8 syn_tos;
};
struct inet_timewait_sock {
  struct sock_common __tw_common;
  __u32 tw_mark;
  unsigned char tw_substate;
  unsigned char tw_rcv_wscale;
  __be16 tw_sport;
  unsigned int tw_transparent : 1;
  unsigned int tw_flowlabel : 20;
  unsigned int tw_tos : 8;
  struct timer_list tw_timer;
  struct inet_bind_bucket *tw_tb;
};
struct tcp_timewait_sock {
  struct inet_timewait_sock tw_sk;
  u32 tw_rcv_wnd;
  u32 tw_ts_offset;
  u32 tw_ts_recent;
  u32 tw_last_oow_ack_time;
  int tw_ts_recent_stamp;
  u32 tw_tx_delay;
  struct tcp_md5sig_key *tw_md5_key;
};
struct path {
  struct vfsmount *mnt;
  struct dentry *dentry;
};
struct unix_sock {
  struct sock sk;
  struct unix_address *addr;
  struct path path;
  struct sock *peer;
};
typedef enum { SS_FREE = 0, SS_UNCONNECTED = 1, SS_CONNECTING = 2, SS_CONNECTED = 3, SS_DISCONNECTING = 4 } socket_state;
struct socket {
  socket_state state;
  short type;
  unsigned long flags;
  struct file *file;
  struct sock *sk;
  const struct proto_ops *ops;
};
typedef u64 dma_addr_t;
struct scatterlist {
  unsigned long page_link;
  unsigned int offset;
  unsigned int length;
  dma_addr_t dma_address;
  unsigned int dma_length;
  unsigned int dma_flags;
};
struct sk_msg_sg {
  u32 start;
  u32 curr;
  u32 end;
  u32 size;
  u32 copybreak;
  unsigned long copy[1];
  struct scatterlist data[19];
};
struct sk_msg {
  struct sk_msg_sg sg;
  u32 flags;
  struct sk_buff *skb;
  struct sock *sk_redir;
  struct sock *sk;
};
struct nf_conntrack {
  refcount_t use;
};
union nf_inet_addr {
  __u32 all[4];
  __be32 ip;
  __be32 ip6[4];
  struct in_addr in;
  struct in6_addr in6;
};
union nf_conntrack_man_proto {
  __be16 all;
  struct {
  __be16 port;
} tcp;
  struct {
  __be16 port;
} udp;
  struct {
  __be16 id;
} icmp;
  struct {
  __be16 port;
} dccp;
  struct {
  __be16 port;
} sctp;
  struct {
  __be16 key;
} gre;
};
typedef u16 u_int16_t;
struct nf_conntrack_man {
  union nf_inet_addr u3;
  union nf_conntrack_man_proto u;
  u_int16_t l3num;
};
typedef u8 u_int8_t;
struct nf_conntrack_tuple {
  struct nf_conntrack_man src;
  struct {
  union nf_inet_addr u3;
  union {
  __be16 all;
  struct {
  __be16 port;
} tcp;
  struct {
  __be16 port;
} udp;
  struct {
  u_int8_t type;
  u_int8_t code;
} icmp;
  struct {
  __be16 port;
} dccp;
  struct {
  __be16 port;
} sctp;
  struct {
  __be16 key;
} gre;
} u;
  u_int8_t protonum;
  struct {

} __nfct_hash_offsetend;
  u_int8_t dir;
} dst;
};
struct nf_conntrack_tuple_hash {
  struct hlist_nulls_node hnnode;
  struct nf_conntrack_tuple tuple;
};
typedef u32 u_int32_t;
enum sctp_conntrack {
  SCTP_CONNTRACK_NONE, SCTP_CONNTRACK_CLOSED, SCTP_CONNTRACK_COOKIE_WAIT, SCTP_CONNTRACK_COOKIE_ECHOED,
  SCTP_CONNTRACK_ESTABLISHED, SCTP_CONNTRACK_SHUTDOWN_SENT, SCTP_CONNTRACK_SHUTDOWN_RECD,
  SCTP_CONNTRACK_SHUTDOWN_ACK_SENT, SCTP_CONNTRACK_HEARTBEAT_SENT, SCTP_CONNTRACK_HEARTBEAT_ACKED,
  SCTP_CONNTRACK_MAX,
};
struct ip_ct_sctp {
  enum sctp_conntrack state;
  __be32 vtag[2];
  u8 init[2];
  u8 last_dir;
  u8 flags;
};
struct ip_ct_tcp_state {
  u_int32_t td_end;
  u_int32_t td_maxend;
  u_int32_t td_maxwin;
  u_int32_t td_maxack;
  u_int8_t td_scale;
  u_int8_t flags;
};
struct ip_ct_tcp {
  struct ip_ct_tcp_state seen[2];
  u_int8_t state;
  u_int8_t last_dir;
  u_int8_t retrans;
  u_int8_t last_index;
  u_int32_t last_seq;
  u_int32_t last_ack;
  u_int32_t last_end;
  u_int16_t last_win;
  u_int8_t last_wscale;
  u_int8_t last_flags;
};
struct nf_ct_udp {
  unsigned long stream_ts;
};
struct nf_ct_gre {
  unsigned int stream_timeout;
  unsigned int timeout;
};
union nf_conntrack_proto {
  struct ip_ct_sctp sctp;
  struct ip_ct_tcp tcp;
  struct nf_ct_udp udp;
  struct nf_ct_gre gre;
  unsigned int tmpl_padto;
};
struct nf_conn {
  struct nf_conntrack ct_general;
  spinlock_t lock;
  u32 timeout;
  struct nf_conntrack_tuple_hash tuplehash[2];
  unsigned long status;
  possible_net_t ct_net;
  struct hlist_node nat_bysource;
  struct {

} __nfct_init_offset;
  struct nf_conn *master;
  u_int32_t mark;
  u_int32_t secmark;
  struct nf_ct_ext *ext;
  union nf_conntrack_proto proto;
};
struct nf_hook_state {
  u8 hook;
  u8 pf;
  struct net_device *in;
  struct net_device *out;
  struct sock *sk;
  struct net *net;
  int (*okfn)(struct net *, struct sock *, struct sk_buff *);
};
struct bpf_ct_opts {
  s32 netns_id;
  s32 error;
  u8 l4proto;
  u8 dir;
  u16 ct_zone_id;
  u8 ct_zone_dir;
  u8 reserved[3];
};
struct bpf_nf_ctx {
  const struct nf_hook_state *state;
  struct sk_buff *skb;
};
typedef struct {
  atomic_t refcnt;
} rcuref_t;
struct dst_entry {
  union {
    struct net_device *dev;
  };
  struct dst_ops *ops;
  unsigned long _metrics;
  unsigned long expires;
  struct xfrm_state *xfrm;
  int (*input)(struct sk_buff *);
  int (*output)(struct net *, struct sock *, struct sk_buff *);
  unsigned short flags;
  short obsolete;
  unsigned short header_len;
  unsigned short trailer_len;
  rcuref_t __rcuref;
  int __use;
  unsigned long lastuse;
  short error;
};
struct neighbour {
  struct neigh_table *tbl;
  struct neigh_parms *parms;
  unsigned long confirmed;
  unsigned long updated;
  rwlock_t lock;
  refcount_t refcnt;
  u8 nud_state;
  u8 type;
  u8 dead;
  u32 flags;
  unsigned char ha[32];
  struct net_device *dev;
  u8 primary_key[0];
};
struct tcp_congestion_ops {
  u32 (*ssthresh)(struct sock *);
  void (*cong_avoid)(struct sock *, u32, u32);
  void (*set_state)(struct sock *, u8);
  void (*cwnd_event)(struct sock *, enum tcp_ca_event);
  void (*in_ack_event)(struct sock *, u32);
  void (*pkts_acked)(struct sock *, const struct ack_sample *);
  u32 (*min_tso_segs)(struct sock *);
  void (*cong_control)(struct sock *, u32, int, const struct rate_sample *);
  u32 (*undo_cwnd)(struct sock *);
  u32 (*sndbuf_expand)(struct sock *);
  size_t (*get_info)(struct sock *, u32, int *, union tcp_cc_info *);
  char name[16];
  struct module *owner;
  struct list_head list;
  u32 key;
  u32 flags;
  void (*init)(struct sock *);
  void (*release)(struct sock *);
};
struct ack_sample {
  u32 pkts_acked;
  s32 rtt_us;
  u32 in_flight;
};
struct rate_sample {
  u64 prior_mstamp;
  u32 prior_delivered;
  u32 prior_delivered_ce;
  s32 delivered;
  s32 delivered_ce;
  long interval_us;
  u32 snd_interval_us;
  u32 rcv_interval_us;
  long rtt_us;
  int losses;
  u32 acked_sacked;
  u32 prior_in_flight;
  u32 last_end_seq;
  bool is_app_limited;
  bool is_retrans;
  bool is_ack_delayed;
};
struct flow_dissector {
  unsigned long long used_keys;
  unsigned short offset[33];
};
struct kref {
  refcount_t refcount;
};
struct kobject {
  const char *name;
  struct list_head entry;
  struct kobject *parent;
  struct kset *kset;
  const struct kobj_type *ktype;
  struct kernfs_node *sd;
  struct kref kref;
  unsigned int state_initialized : 1;
  unsigned int state_in_sysfs : 1;
};
struct netdev_rx_queue {
  struct xdp_rxq_info xdp_rxq;
  struct kobject kobj;
  struct net_device *dev;
  struct napi_struct *napi;
};
struct netdev_queue {
  struct net_device *dev;
  int xmit_lock_owner;
  unsigned long trans_start;
  unsigned long state;
};
struct proto {
  void (*close)(struct sock *, long);
  int (*connect)(struct sock *, struct sockaddr *, int);
  struct kmem_cache *slab;
  unsigned int obj_size;
  char name[32];
};
typedef struct {
  gid_t val;
} kgid_t;
typedef __s64 time64_t;
typedef u64 blkcnt_t;
enum inode_state_flags_t {
  I_NEW = 1, I_SYNC, I_LRU_ISOLATING = 4, I_DIRTY_SYNC = 16, I_DIRTY_DATASYNC = 32, I_DIRTY_PAGES = 64,
  I_WILL_FREE = 128, I_FREEING = 256, I_CLEAR = 512, I_REFERENCED = 1024, I_LINKABLE = 2048, I_DIRTY_TIME = 4096,
  I_WB_SWITCH = 8192, I_OVL_INUSE = 16384, I_CREATING = 32768, I_DONTCACHE = 65536, I_SYNC_QUEUED = 131072,
  I_PINNING_NETFS_WB = 262144,
};
struct inode {
  umode_t i_mode;
  unsigned short i_opflags;
  kuid_t i_uid;
  kgid_t i_gid;
  unsigned int i_flags;
  const struct inode_operations *i_op;
  struct super_block *i_sb;
  struct address_space *i_mapping;
  void *i_security;
  unsigned long i_ino;
  union {
    const unsigned int i_nlink;
    unsigned int __i_nlink;
  };
  dev_t i_rdev;
  loff_t i_size;
  time64_t i_atime_sec;
  time64_t i_mtime_sec;
  time64_t i_ctime_sec;
  u32 i_generation;
  spinlock_t i_lock;
  unsigned short i_bytes;
  u8 i_blkbits;
  blkcnt_t i_blocks;
  enum inode_state_flags_t i_state;
  struct hlist_node i_hash;
  atomic64_t i_version;
  atomic_t i_count;
  atomic_t i_writecount;
  union {
    const struct file_operations *i_fop;
  };
  void *i_private;
};
struct socket_alloc {
  struct socket socket;
  struct inode vfs_inode;
};
struct unix_address {
  refcount_t refcnt;
  int len;
  struct sockaddr_un name[0];
};
struct nexthop {
  u32 id;
  u8 nh_flags;
  bool is_group;
  refcount_t refcnt;
  union {
    struct nh_info *nh_info;
  };
};
struct fib_nh_common {
  struct net_device *nhc_dev;
  int nhc_oif;
  unsigned char nhc_scope;
  u8 nhc_family;
  u8 nhc_gw_family;
  unsigned char nhc_flags;
};
struct fib_nh {
  struct fib_nh_common nh_common;
};
struct fib6_nh {
  struct fib_nh_common nh_common;
};
struct nh_info {
  u8 family;
  bool reject_nh;
  bool fdb_nh;
  union {
    struct fib_nh_common fib_nhc;
    struct fib_nh fib_nh;
    struct fib6_nh fib6_nh;
  };
};
struct mptcp_pm_data {

};
struct mptcp_sock {
  struct inet_connection_sock sk;
  u64 local_key;
  u64 remote_key;
  u64 write_seq;
  u64 ack_seq;
  u32 token;
  unsigned long flags;
  struct sock *first;
  struct mptcp_pm_data pm;
  char ca_name[16];
};
struct bpf_tcp_req_attrs {
  u32 rcv_tsval;
  u32 rcv_tsecr;
  u16 mss;
  u8 rcv_wscale;
  u8 snd_wscale;
  u8 ecn_ok;
  u8 wscale_ok;
  u8 sack_ok;
  u8 tstamp_ok;
  u8 usec_ts_ok;
  u8 reserved[3];
};
struct erspan_md2 {
  __be32 timestamp;
  __be16 sgt;
  __u8 hwid_upper : 2;
  __u8 ft : 5;
  __u8 p : 1;
  __u8 o : 1;
  __u8 gra : 2;
  __u8 dir : 1;
  __u8 hwid : 4;
};
struct erspan_metadata {
  int version;
  union {
  __be32 index;
  struct erspan_md2 md2;
} u;
};
struct vxlan_metadata {
  u32 gbp;
};
struct geneve_opt {
  __be16 opt_class;
  u8 type;
  u8 length : 5;
  u8 r3 : 1;
  u8 r2 : 1;
  u8 r1 : 1;
  u8 opt_data[0];
};
struct xfrm_replay_state_esn {
  unsigned int bmp_len;
  __u32 oseq;
  __u32 seq;
  __u32 oseq_hi;
  __u32 seq_hi;
  __u32 replay_window;
  __u32 bmp[0];
};
struct dev_ifalias {
  struct callback_head rcuhead;
  char ifalias[0];
};
typedef union {
  __be32 a4;
  __be32 a6[4];
  struct in6_addr in6;
} xfrm_address_t;
struct xfrm_id {
  xfrm_address_t daddr;
  __be32 spi;
  __u8 proto;
};
struct xfrm_selector {
  xfrm_address_t daddr;
  xfrm_address_t saddr;
  __be16 dport;
  __be16 dport_mask;
  __be16 sport;
  __be16 sport_mask;
  __u16 family;
  __u8 prefixlen_d;
  __u8 prefixlen_s;
  __u8 proto;
  int ifindex;
  __kernel_uid32_t user;
};
struct xfrm_mark {
  __u32 v;
  __u32 m;
};
struct xfrm_state_walk {
  struct list_head all;
  u8 state;
  u8 dying;
  u8 proto;
  u32 seq;
  struct xfrm_address_filter *filter;
};
struct xfrm_lifetime_cfg {
  __u64 soft_byte_limit;
  __u64 hard_byte_limit;
  __u64 soft_packet_limit;
  __u64 hard_packet_limit;
  __u64 soft_add_expires_seconds;
  __u64 hard_add_expires_seconds;
  __u64 soft_use_expires_seconds;
  __u64 hard_use_expires_seconds;
};
struct xfrm_replay_state {
  __u32 oseq;
  __u32 seq;
  __u32 bitmap;
};
enum xfrm_replay_mode {
  XFRM_REPLAY_MODE_LEGACY, XFRM_REPLAY_MODE_BMP, XFRM_REPLAY_MODE_ESN,
};
struct xfrm_stats {
  __u32 replay_window;
  __u32 replay;
  __u32 integrity_failed;
};
struct xfrm_lifetime_cur {
  __u64 bytes;
  __u64 packets;
  __u64 add_time;
  __u64 use_time;
};
struct timerqueue_node {
  struct rb_node node;
  ktime_t expires;
};
enum hrtimer_restart {
  HRTIMER_NORESTART, HRTIMER_RESTART,
};
struct hrtimer {
  struct timerqueue_node node;
  ktime_t _softexpires;
  enum hrtimer_restart (*function)(struct hrtimer *);
  struct hrtimer_clock_base *base;
  u8 state;
  u8 is_rel;
  u8 is_soft;
  u8 is_hard;
};
typedef struct {

} netdevice_tracker;
struct xfrm_dev_offload {
  struct net_device *dev;
  netdevice_tracker dev_tracker;
  struct net_device *real_dev;
  unsigned long offload_handle;
  u8 dir : 2;
  u8 type : 2;
  u8 flags : 2;
};
struct page_frag {
  struct page *page;
  __u32 offset;
  __u32 size;
};
struct xfrm_mode {
  u8 encap;
  u8 family;
  u8 flags;
};
struct xfrm_state {
  possible_net_t xs_net;
  union {
    struct hlist_node gclist;
    struct hlist_node bydst;
  };
  union {
    struct hlist_node dev_gclist;
    struct hlist_node bysrc;
  };
  struct hlist_node byspi;
  struct hlist_node byseq;
  struct hlist_node state_cache;
  struct hlist_node state_cache_input;
  refcount_t refcnt;
  spinlock_t lock;
  u32 pcpu_num;
  struct xfrm_id id;
  struct xfrm_selector sel;
  struct xfrm_mark mark;
  u32 if_id;
  u32 tfcpad;
  u32 genid;
  struct xfrm_state_walk km;
  struct {
  u32 reqid;
  u8 mode;
  u8 replay_window;
  u8 aalgo;
  u8 ealgo;
  u8 calgo;
  u8 flags;
  u16 family;
  xfrm_address_t saddr;
  int header_len;
  int enc_hdr_len;
  int trailer_len;
  u32 extra_flags;
  struct xfrm_mark smark;
} props;
  struct xfrm_lifetime_cfg lft;
  struct xfrm_algo_auth *aalg;
  struct xfrm_algo *ealg;
  struct xfrm_algo *calg;
  struct xfrm_algo_aead *aead;
  const char *geniv;
  __be16 new_mapping_sport;
  u32 new_mapping;
  u32 mapping_maxage;
  struct xfrm_encap_tmpl *encap;
  u32 nat_keepalive_interval;
  time64_t nat_keepalive_expiration;
  xfrm_address_t *coaddr;
  struct xfrm_state *tunnel;
  atomic_t tunnel_users;
  struct xfrm_replay_state replay;
  struct xfrm_replay_state_esn *replay_esn;
  struct xfrm_replay_state preplay;
  struct xfrm_replay_state_esn *preplay_esn;
  enum xfrm_replay_mode repl_mode;
  u32 xflags;
  u32 replay_maxage;
  u32 replay_maxdiff;
  struct timer_list rtimer;
  struct xfrm_stats stats;
  struct xfrm_lifetime_cur curlft;
  struct hrtimer mtimer;
  struct xfrm_dev_offload xso;
  long saved_tmo;
  time64_t lastused;
  struct page_frag xfrag;
  const struct xfrm_type *type;
  struct xfrm_mode inner_mode;
  struct xfrm_mode inner_mode_iaf;
  struct xfrm_mode outer_mode;
  const struct xfrm_type_offload *type_offload;
  struct xfrm_sec_ctx *security;
  void *data;
  u8 dir;
  const struct xfrm_mode_cbs *mode_cbs;
  void *mode_data;
};
struct bpf_xfrm_state_opts {
  s32 error;
  s32 netns_id;
  u32 mark;
  xfrm_address_t daddr;
  __be32 spi;
  u8 proto;
  u16 family;
};
struct iovec {
  void *iov_base;
  __kernel_size_t iov_len;
};
struct iov_iter {
  u8 iter_type;
  bool nofault;
  bool data_source;
  size_t iov_offset;
  union {
    struct iovec __ubuf_iovec;
    struct {
      union {
        const struct iovec *__iov;
        const struct kvec *kvec;
        const struct bio_vec *bvec;
        const struct folio_queue *folioq;
        struct xarray *xarray;
        void *ubuf;
      };
      size_t count;
    };
  };
  union {
    unsigned long nr_segs;
    u8 folioq_slot;
    loff_t xarray_start;
  };
};
struct msghdr {
  void *msg_name;
  int msg_namelen;
  int msg_inq;
  struct iov_iter msg_iter;
  union {
    void *msg_control;
    void *msg_control_user;
  };
  bool msg_control_is_user : 1;
  bool msg_get_inq : 1;
  unsigned int msg_flags;
  __kernel_size_t msg_controllen;
  struct kiocb *msg_iocb;
  struct ubuf_info *msg_ubuf;
  int (*sg_from_iter)(struct sk_buff *, struct iov_iter *, size_t);
};
`;
