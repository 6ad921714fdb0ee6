/* SPDX-License-Identifier: MIT */
/*
 * From plain packets to super-packets, on the way to a TUN interface: packets
 * of one flow that follow on each other become one write.  No payload is
 * copied: a super-packet is the first packet's bytes with its header changed
 * in place, then vectors over the payloads of the others.
 *
 * Theory of operation: coalesce_run() takes one batch, as one receive gave it,
 * and keeps nothing between batches, so it adds no delay.  Packets of a flow
 * stay in order; flows may overtake each other.  Only packets that a receiver
 * cannot tell from the segments of one super-packet are joined (the rules of
 * the kernel's GRO): same addresses, ports, TTL, TOS, DF; no IP options; not a
 * fragment; checksums verified first; TCP: consecutive sequence numbers, same
 * acknowledgement, window and options, only ACK and PSH set (PSH ends it, as
 * does a shorter segment; CWR, URG, SYN, RST, FIN stand alone or end it); UDP:
 * the same length but for a shorter last one.  Whatever does not qualify goes
 * out alone and unchanged.
 *
 * A struct coalesce belongs to one thread.  Nothing here blocks or allocates.
 */
#ifndef COMMON_COALESCE_H
#define COMMON_COALESCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "proto/packet.h"

enum {
	COALESCE_MAX_PACKETS = 1024,	/* of one batch */
	COALESCE_MAX_PARTS = 64,	/* packets in one super-packet */
	COALESCE_FLOWS = 128,		/* remembered in one batch */
};

/* One write: iov[0] is free for the header of tun_write(). */
struct coalesce_item {
	struct packet packet;
	struct iovec *iov;
	int n_iov;
	uint32_t n_packets;	/* of the batch, that it stands for */
};

struct coalesce;

/* NULL: out of memory.  udp: join datagrams too. */
struct coalesce *coalesce_new(bool tcp, bool udp);
void coalesce_free(struct coalesce *c);

/*
 * Join the n packets (at most COALESCE_MAX_PACKETS) of one batch.  Returns the
 * number of items, which stay valid until the next call; the packets' bytes
 * are changed in place and must stay until then too.
 */
size_t coalesce_run(struct coalesce *c, const struct packet *packets, size_t n,
		    struct coalesce_item **items);

#endif
