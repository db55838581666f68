/* What every program of the bench begins with. Each runs as XDP on a packet of 1500 bytes. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define PACKET 1500

/* The packet, when it has all its bytes; else the program is left. */
#define PACKET_OR_RETURN(ctx)                                   \
	({                                                      \
		void *_data = (void *)(long)(ctx)->data;        \
		void *_end = (void *)(long)(ctx)->data_end;     \
		if (_data + PACKET > _end)                      \
			return 0;                               \
		_data;                                          \
	})

char _license[] SEC("license") = "GPL";
