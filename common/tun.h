/* SPDX-License-Identifier: MIT */
/*
 * A Linux TUN interface: open, read, write.  With the virtio-net header and
 * offloads where the kernel has them (Documentation/networking/tuntap.rst,
 * linux/virtio_net.h), one read or write moves up to 64 KB.
 *
 * The descriptor is non-blocking.  tun_read() and tun_write() may be called by
 * several threads at once; each call moves one whole packet.
 */
#ifndef COMMON_TUN_H
#define COMMON_TUN_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "proto/packet.h"

enum {
	/* In front of every packet that is read: the virtio-net header, of
	 * which the last FRAME_SEGMENT_PREFIX_LEN bytes are free afterwards. */
	TUN_HEADROOM = 10,
	TUN_READ_MAX = TUN_HEADROOM + 65535,
	TUN_MAX_IOV = 80,	/* vectors of one tun_write(), at most */
};

struct tun {
	int fd;			/* -1: closed */
	char name[IFNAMSIZ];
	int ifindex;
	bool offload_tcp;	/* reads super-packets of TCP */
	bool offload_udp;	/* and of UDP */
	bool offload_checksum;	/* reads packets with partial checksums */
};

/*
 * Create the interface (name may hold %d) without persistence: it goes when
 * the descriptor is closed.  0 or -errno; -EPERM and -EACCES mean that the
 * caller lacks CAP_NET_ADMIN, -ENOENT and -ENODEV that the kernel has no TUN.
 */
int tun_open(struct tun *tun, const char *name);
void tun_close(struct tun *tun);

/* What could not be switched on, for -v; NULL: everything is on. */
const char *tun_missing_offloads(const struct tun *tun);

/*
 * Read one packet into buf (TUN_READ_MAX bytes) and describe it; its data is
 * at buf + TUN_HEADROOM.  Returns 1 for a packet, 0 when none is there,
 * -errno otherwise; -EBADMSG for one whose header makes no sense (skip it).
 * The packet can be of any version and is not validated further.
 */
int tun_read(struct tun *tun, uint8_t *buf, struct packet *packet);

/*
 * Write one packet given as vectors (iov[0] is reserved for the header and is
 * overwritten; n counts it).  packet has the metadata; its data points at the
 * whole IP and transport header, its len is that of all vectors.  0 or -errno.
 */
int tun_write(struct tun *tun, const struct packet *packet, struct iovec *iov,
	      int n);

#endif
