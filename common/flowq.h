/* SPDX-License-Identifier: MIT */
/*
 * A bounded queue of messages that is fair between flows, in the manner of
 * fq_codel (RFC 8290): packets are hashed to flows by their addresses,
 * protocol and ports; flows take turns by bytes (deficit round robin); a flow
 * that has been silent goes first once; when the queue is full the longest
 * flow loses its oldest packets; CoDel (RFC 8289) drops from flows that stand
 * too long.
 *
 * No lock inside: the owner locks.  Nothing blocks.  Memory comes in slabs of
 * tens of KiB, never per packet, and is bounded by the limit given.
 */
#ifndef COMMON_FLOWQ_H
#define COMMON_FLOWQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct flowq;

/* Why packets were dropped, for the owner's counters. */
struct flowq_drops {
	uint64_t full;		/* over the limit of bytes or packets */
	uint64_t stale;		/* CoDel */
	uint64_t no_memory;
};

/*
 * A queue that holds at most max_bytes of packets and max_packets of them.
 * charge, if not NULL, is called with the change whenever memory in bytes is
 * taken or given back.  NULL: out of memory.
 */
struct flowq *flowq_new(size_t max_bytes, uint32_t max_packets,
			void (*charge)(void *arg, int64_t bytes), void *arg);
void flowq_free(struct flowq *q);

/*
 * Copy one message, prefix included, into the queue.  ip_offset is where its
 * IPv4 header begins.  Messages are whole; it may drop others or this one to
 * stay within the limits, and counts each.
 */
void flowq_push(struct flowq *q, const uint8_t *data, uint32_t len,
		uint32_t ip_offset, uint64_t now_ns);

/*
 * Take the next messages, in order of sending, until max_iov vectors are used
 * or max_bytes are reached (the last message may exceed them).  Messages that
 * lie next to each other in memory share a vector.  They stay the queue's until
 * flowq_sent().  Returns the number of vectors.  One such batch is out at a
 * time; a second call first takes it back as flowq_sent(q, 0) does.
 */
int flowq_peek(struct flowq *q, struct iovec *iov, int max_iov,
	       size_t max_bytes, uint64_t now_ns);

/*
 * Of the batch that flowq_peek() gave, bytes were sent.  Whole messages sent
 * leave the queue; one sent in part stays at the very front, its rest first in
 * the next batch, and can no longer be dropped; the others go back in line.
 */
void flowq_sent(struct flowq *q, size_t bytes);

/*
 * Put the unsent rest of a started message in front of everything else; an
 * empty queue only.  Never dropped.  False: out of memory.
 */
bool flowq_push_started(struct flowq *q, const uint8_t *rest, uint32_t len);

/* Whether a message sent in part is at the front: nothing may go before it. */
bool flowq_has_started(const struct flowq *q);

bool flowq_empty(const struct flowq *q);
size_t flowq_bytes(const struct flowq *q);
uint32_t flowq_packets(const struct flowq *q);
const struct flowq_drops *flowq_drops(const struct flowq *q);

#endif
