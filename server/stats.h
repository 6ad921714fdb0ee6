/* SPDX-License-Identifier: MIT */
/*
 * Counters and the named reasons for which packets are dropped.
 *
 * Each counter has one writer at a time (its owner's thread, or whoever holds
 * the lock that the comment names), so adding needs no atomic read-modify-
 * write; anybody may read.
 */
#ifndef SERVER_STATS_H
#define SERVER_STATS_H

#include <stdatomic.h>
#include <stdint.h>

enum drop_reason {
	/* Counted at the sender, by its own thread. */
	DROP_NOT_JOINED,	/* data before an address */
	DROP_SPOOFED_SOURCE,	/* source is not the sender's address */
	DROP_NO_SUCH_CLIENT,	/* nobody holds that address of the network */
	DROP_NO_GATEWAY,	/* for the TUN, which is switched off */
	DROP_BROADCAST,
	DROP_MULTICAST,
	DROP_TOO_BIG,		/* for the receiver's MTU */
	DROP_IPV6,		/* from or for peers that did not agree to it */
	DROP_MALFORMED,		/* an inner packet that makes no sense */
	DROP_ECHO_LIMIT,	/* keepalives over the rate, or not read */
	/* Counted at the receiver, under its egress lock or atomically. */
	DROP_TUN_FULL,		/* the gateway's TUN did not take it */
	DROP_QUEUE_FULL,
	DROP_QUEUE_STALE,	/* stood in the queue for too long (CoDel) */
	DROP_NO_MEMORY,
	DROP_MEMORY_LIMIT,	/* all queues together hold too much */
	DROP_CLOSED,		/* the receiver was on its way out */
	DROP_N_REASONS
};

typedef _Atomic uint64_t counter;

struct stats {
	counter rx_packets, rx_bytes;	/* from this end, by its thread */
	counter tx_packets, tx_bytes;	/* to this end, under its egress lock */
	counter drops[DROP_N_REASONS];
};

static inline void counter_add(counter *c, uint64_t n)
{
	atomic_store_explicit(c,
		atomic_load_explicit(c, memory_order_relaxed) + n,
		memory_order_relaxed);
}

static inline uint64_t counter_get(const counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

/* "spoofed_source" and so on: for logs and machine-readable output. */
const char *drop_reason_name(enum drop_reason reason);

/* Add all of *from to *to; the caller is the one writer of *to. */
void stats_add(struct stats *to, const struct stats *from);

/* Log the counters in lines that begin with label; drops that are zero are
 * left out. */
void stats_log(const char *label, const struct stats *stats);

#endif
