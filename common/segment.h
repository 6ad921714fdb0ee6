/* SPDX-License-Identifier: MIT */
/*
 * From the kernel's offloads to plain packets: what a network card does with
 * TSO, USO and checksum offload, as pure functions over bytes.
 *
 * Any thread may call; nothing here blocks, allocates or keeps state.
 */
#ifndef COMMON_SEGMENT_H
#define COMMON_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/packet.h"

/*
 * Limits that keep a few bytes of header from becoming megabytes of packets;
 * the kernel makes none beyond them (TCP_MIN_GSO_SIZE, UDP_MAX_SEGMENTS).
 */
enum {
	SEGMENT_TCP_MIN_SIZE = 8,	/* segment size of TCP, bytes */
	SEGMENT_UDP_MAX_COUNT = 128,	/* datagrams of one super-packet */
};

/*
 * Whether an IPv4 packet from outside may be handled as what its descriptor
 * says: a valid header; with a segment size or a partial checksum TCP or UDP,
 * not a fragment, with a whole transport header inside it; a segment size only
 * with a partial checksum and within the limits above.  An ordinary packet with
 * a full checksum needs only ippkt_valid().
 */
bool segment_check(const struct packet *packet);

/* How many packets it makes, once segment_check() was true; 1: ordinary. */
uint32_t segment_count(const struct packet *packet);

/* Length of the longest packet it makes, bytes with headers. */
uint32_t segment_max_len(const struct packet *packet);

/* Bytes that segment_write() writes: all packets, back to back. */
size_t segment_size(const struct packet *packet);

/*
 * Write the packets that it makes, back to back as they travel in the stream,
 * with all checksums complete.  out has segment_size() bytes.  Returns that.
 * TCP: sequence numbers, FIN and PSH on the last only, CWR on the first only
 * (RFC 3168 6.1.2); identification counts up.  UDP: a datagram each.
 */
size_t segment_write(const struct packet *packet, uint8_t *out);

/* Complete a partial checksum in place; the packet is not a super-packet. */
void segment_finish_checksum(struct packet *packet);

#endif
