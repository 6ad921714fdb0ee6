/* SPDX-License-Identifier: MIT */
/*
 * Packets that prove that they arrived as they were sent.
 *
 * A stamped packet is IPv4 and UDP: 28 bytes of headers, then a hash over
 * addresses, length, stream and sequence number (8 bytes), the stream (4), the
 * length again (4), the sequence number (8), and a pattern that the sequence
 * number selects.  A stream is what one sender sends from one address; its
 * sequence numbers rise with every packet, whoever the packet is for, so they
 * rise at every destination too.  Nothing here has a lock.
 */
#ifndef SCALE_STAMP_H
#define SCALE_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STAMP_MIN_LEN = 52,
	STAMP_MAX_LEN = 1500,
	STAMP_STREAMS = 64,	/* that one receiver follows at a time */
};

struct stamp {
	uint32_t source, destination;	/* host byte order */
	uint32_t stream;		/* not 0 */
	uint64_t sequence;		/* from 1 */
};

enum stamp_verdict {
	STAMP_GOOD,
	STAMP_FOREIGN,		/* not a stamped packet at all */
	STAMP_CORRUPT,
	STAMP_DISORDER,		/* repeated or overtaken */
};

/* What one receiver has seen; zero-initialised. */
struct stamp_memory {
	struct {
		uint32_t stream;
		uint32_t destination;	/* ours may change */
		uint64_t last;
	} seen[STAMP_STREAMS];
};

/* len is STAMP_MIN_LEN to STAMP_MAX_LEN. */
void stamp_write(uint8_t *packet, size_t len, const struct stamp *stamp);

/* Check a valid IPv4 packet.  *stamp is set unless it is foreign. */
enum stamp_verdict stamp_check(struct stamp_memory *memory,
			       const uint8_t *packet, size_t len,
			       struct stamp *stamp);

#endif
