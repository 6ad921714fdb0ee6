/* SPDX-License-Identifier: MIT */
/*
 * struct packet: how one IP packet is described while it travels through a
 * program.  The bytes belong to whoever read them; the descriptor is copied
 * freely.
 */
#ifndef PROTO_PACKET_H
#define PROTO_PACKET_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A packet with a segment size is a "super-packet": one TCP or UDP header over
 * the payload of many segments, as the kernel's segmentation offload makes
 * them.  Each segment but the last carries segment_size bytes of payload.  Its
 * transport checksum is always partial.
 *
 * A partial checksum holds only the sum of the pseudo-header, not inverted, as
 * the kernel leaves it for hardware (CHECKSUM_PARTIAL in
 * Documentation/networking/checksum-offloads.rst).
 */
struct packet {
	uint8_t *data;		/* the IP header */
	uint32_t len;		/* bytes, headers and payload */
	uint16_t segment_size;	/* bytes of payload a segment; 0: ordinary */
	bool checksum_partial;
};

#endif
