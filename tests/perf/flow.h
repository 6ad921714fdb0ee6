/* SPDX-License-Identifier: MIT */
/*
 * The numbered packets of the load generator: how they are made, and how a
 * receiver tells that none was lost, repeated, reordered or altered.
 *
 * A packet is IPv4 and UDP, all of one length: 28 bytes of headers, sender and
 * destination number (2 bytes each), sequence number (8 bytes), a pattern.
 * Sequence numbers count per sender and destination.  Nothing here has a lock:
 * a flow_check belongs to the thread that reads that destination's stream.
 */
#ifndef PERF_FLOW_H
#define PERF_FLOW_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
	FLOW_MIN_LEN = 40,
	FLOW_MAX_LEN = 1500,
	FLOW_AT_SENDER = 28,
	FLOW_AT_DESTINATION = 30,
	FLOW_AT_SEQUENCE = 32,
	FLOW_SAMPLE = 16,	/* the pattern of one packet in so many is
				 * compared; headers always */
};

struct flow_counts {
	uint64_t packets;	/* good ones, each once */
	uint64_t lost;		/* gaps; the end of a run is the caller's */
	uint64_t corrupt;
	uint64_t reordered;
	uint64_t duplicate;
	uint64_t foreign;	/* whole messages that are not ours */
};

/* One sender's packets as one destination expects them. */
struct flow {
	uint64_t expected;	/* next sequence number */
	uint64_t seen;		/* bit i: expected - 1 - i has come */
	uint8_t header[FLOW_AT_SEQUENCE];
};

/* All that comes out of one destination's stream. */
struct flow_check {
	uint32_t packet_len;
	unsigned int n_flows;
	unsigned int until_sample;
	struct flow *flows;	/* the caller's, one a sender */
	struct flow_counts counts;
};

/* Write a packet with sequence number 0; addresses in host byte order. */
void flow_write(uint8_t *out, uint32_t len, uint32_t source,
		uint32_t destination, uint16_t sender_number,
		uint16_t destination_number);

static inline void flow_set_sequence(uint8_t *packet, uint64_t sequence)
{
	memcpy(packet + FLOW_AT_SEQUENCE, &sequence, sizeof(sequence));
}

/* Expect a sender's packets; packet is one of them. */
void flow_init(struct flow *flow, const uint8_t *packet);

/*
 * Check all whole packets at the start of buf.  Returns how many bytes they
 * take; the rest is for the next call.  SIZE_MAX: the stream makes no sense
 * any more, and a corrupt packet has been counted.
 */
size_t flow_check(struct flow_check *check, const uint8_t *buf, size_t len);

#endif
