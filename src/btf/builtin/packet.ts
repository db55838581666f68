/** Headers of packets and socket addresses. Names as in Linux 6.18; large kernel structures are cut down to the fields that programs read. */

export const PACKET_TYPES = `
struct ethhdr {
  unsigned char h_dest[6];
  unsigned char h_source[6];
  __be16 h_proto;
};
struct vlan_hdr {
  __be16 h_vlan_TCI;
  __be16 h_vlan_encapsulated_proto;
};
struct vlan_ethhdr {
  union {
    struct {
      unsigned char h_dest[6];
      unsigned char h_source[6];
    };
    struct {
  unsigned char h_dest[6];
  unsigned char h_source[6];
} addrs;
  };
  __be16 h_vlan_proto;
  __be16 h_vlan_TCI;
  __be16 h_vlan_encapsulated_proto;
};
struct iphdr {
  __u8 ihl : 4;
  __u8 version : 4;
  __u8 tos;
  __be16 tot_len;
  __be16 id;
  __be16 frag_off;
  __u8 ttl;
  __u8 protocol;
  __sum16 check;
  union {
    struct {
      __be32 saddr;
      __be32 daddr;
    };
    struct {
  __be32 saddr;
  __be32 daddr;
} addrs;
  };
};
struct in6_addr {
  union {
  __u8 u6_addr8[16];
  __be16 u6_addr16[8];
  __be32 u6_addr32[4];
} in6_u;
};
struct ipv6hdr {
  __u8 priority : 4;
  __u8 version : 4;
  __u8 flow_lbl[3];
  __be16 payload_len;
  __u8 nexthdr;
  __u8 hop_limit;
  union {
    struct {
      struct in6_addr saddr;
      struct in6_addr daddr;
    };
    struct {
  struct in6_addr saddr;
  struct in6_addr daddr;
} addrs;
  };
};
struct in_addr {
  __be32 s_addr;
};
struct ipv6_opt_hdr {
  __u8 nexthdr;
  __u8 hdrlen;
};
struct frag_hdr {
  __u8 nexthdr;
  __u8 reserved;
  __be16 frag_off;
  __be32 identification;
};
struct tcphdr {
  __be16 source;
  __be16 dest;
  __be32 seq;
  __be32 ack_seq;
  __u16 ae : 1;
  __u16 res1 : 3;
  __u16 doff : 4;
  __u16 fin : 1;
  __u16 syn : 1;
  __u16 rst : 1;
  __u16 psh : 1;
  __u16 ack : 1;
  __u16 urg : 1;
  __u16 ece : 1;
  __u16 cwr : 1;
  __be16 window;
  __sum16 check;
  __be16 urg_ptr;
};
struct udphdr {
  __be16 source;
  __be16 dest;
  __be16 len;
  __sum16 check;
};
struct icmphdr {
  __u8 type;
  __u8 code;
  __sum16 checksum;
  union {
  struct {
  __be16 id;
  __be16 sequence;
} echo;
  __be32 gateway;
  struct {
  __be16 __unused;
  __be16 mtu;
} frag;
  __u8 reserved[4];
} un;
};
struct icmpv6_echo {
  __be16 identifier;
  __be16 sequence;
};
struct icmpv6_nd_advt {
  __u32 reserved : 5;
  __u32 override : 1;
  __u32 solicited : 1;
  __u32 router : 1;
  __u32 reserved2 : 24;
};
struct icmpv6_nd_ra {
  __u8 hop_limit;
  __u8 reserved : 3;
  __u8 router_pref : 2;
  __u8 home_agent : 1;
  __u8 other : 1;
  __u8 managed : 1;
  __be16 rt_lifetime;
};
struct icmp6hdr {
  __u8 icmp6_type;
  __u8 icmp6_code;
  __sum16 icmp6_cksum;
  union {
  __be32 un_data32[1];
  __be16 un_data16[2];
  __u8 un_data8[4];
  struct icmpv6_echo u_echo;
  struct icmpv6_nd_advt u_nd_advt;
  struct icmpv6_nd_ra u_nd_ra;
} icmp6_dataun;
};
struct arphdr {
  __be16 ar_hrd;
  __be16 ar_pro;
  unsigned char ar_hln;
  unsigned char ar_pln;
  __be16 ar_op;
};
typedef unsigned short __kernel_sa_family_t;
typedef __kernel_sa_family_t sa_family_t;
struct sockaddr {
  sa_family_t sa_family;
  union {
    char sa_data_min[14];
    struct {
      struct {

} __empty_sa_data;
      char sa_data[0];
    };
  };
};
struct sockaddr_in {
  __kernel_sa_family_t sin_family;
  __be16 sin_port;
  struct in_addr sin_addr;
  unsigned char __pad[8];
};
struct sockaddr_in6 {
  unsigned short sin6_family;
  __be16 sin6_port;
  __be32 sin6_flowinfo;
  struct in6_addr sin6_addr;
  __u32 sin6_scope_id;
};
struct sockaddr_un {
  __kernel_sa_family_t sun_family;
  char sun_path[108];
};
struct __kernel_sockaddr_storage {
  union {
    struct {
      __kernel_sa_family_t ss_family;
      char __data[126];
    };
    void *__align;
  };
};
struct ip_esp_hdr {
  __be32 spi;
  __be32 seq_no;
  __u8 enc_data[0];
};
struct ip_auth_hdr {
  __u8 nexthdr;
  __u8 hdrlen;
  __be16 reserved;
  __be32 spi;
  __be32 seq_no;
  __u8 auth_data[0];
};
struct gre_base_hdr {
  __be16 flags;
  __be16 protocol;
};
struct ipv6_rt_hdr {
  __u8 nexthdr;
  __u8 hdrlen;
  __u8 type;
  __u8 segments_left;
};
struct vxlanhdr {
  __be32 vx_flags;
  __be32 vx_vni;
};
struct sctphdr {
  __be16 source;
  __be16 dest;
  __be32 vtag;
  __le32 checksum;
};
union tcp_word_hdr {
  struct tcphdr hdr;
  __be32 words[5];
};
struct sockaddr_ll {
  unsigned short sll_family;
  __be16 sll_protocol;
  int sll_ifindex;
  unsigned short sll_hatype;
  unsigned char sll_pkttype;
  unsigned char sll_halen;
  unsigned char sll_addr[8];
};
struct sockaddr_nl {
  __kernel_sa_family_t nl_family;
  unsigned short nl_pad;
  __u32 nl_pid;
  __u32 nl_groups;
};
`;
