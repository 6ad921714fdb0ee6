/* SPDX-License-Identifier: MIT */
/*
 * The data path: where a packet goes.
 *
 * Every packet, whether a client sent it or the TUN gave it, passes
 * forward_packet(), which checks its source, finds its destination, and either
 * notes it for hand-over or drops it with a named reason.  forward_flush()
 * hands over: one send a destination for all that one receive brought.
 *
 * A struct forward belongs to the thread of the endpoint that it forwards
 * from.  Nothing here blocks.
 */
#ifndef SERVER_FORWARD_H
#define SERVER_FORWARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/packet.h"
#include "server/endpoint.h"

struct coalesce;
struct forward_batch;
struct server;

struct forward {
	const struct server *server;
	struct endpoint *from;
	struct forward_batch *batch;	/* the caller's memory, zeroed */
	struct coalesce *coalesce;	/* NULL until packets go to the TUN */
	uint64_t icmp_refill_ms;	/* token bucket of ICMP errors */
	uint32_t icmp_tokens;
};

/* Bytes of zeroed memory for batch; all zeroes is its empty state. */
size_t forward_batch_size(void);

void forward_init(struct forward *f, const struct server *server,
		  struct endpoint *from, void *batch);
/* Give back what is cheap to make again; the batch is empty. */
void forward_idle(struct forward *f);

/*
 * One packet from f->from.  Its bytes stay the caller's and must stay in place
 * until forward_flush(); it may be changed in place.  One with a segment size
 * or a partial checksum has its prefix in the four bytes before it.
 */
void forward_packet(struct forward *f, struct packet *packet);

/* Hand over all that was noted; the packets' bytes are the caller's again. */
void forward_flush(struct forward *f);

/* What would become of a packet. */
struct forward_fate {
	enum drop_reason drop;	/* DROP_N_REASONS: it goes to its receiver */
	bool has_sender;	/* there is an end that its source belongs to */
	bool from_gateway, to_gateway;	/* else a client */
	uint32_t mtu;		/* of the receiver, bytes */
	struct egress_status receiver;	/* if it is a client */
};

/*
 * Decide as forward_packet() would about a packet from the end that source
 * belongs to.  Any thread.
 */
void forward_explain(const struct server *server, uint32_t source,
		     uint32_t destination, struct forward_fate *fate);

/* Count a packet that the caller itself found wanting. */
static inline void forward_count_drop(struct forward *f,
				      enum drop_reason reason)
{
	counter_add(&f->from->stats.drops[reason], 1);
}

#endif
